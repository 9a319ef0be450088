"""The crash table as people read it: `python -m sandbox.crash_points` writes it into docs/crash-points.md."""

from pathlib import Path

from config.environment import Reader
from config.job_settings import JobSettings, read_jobs
from tasks.contracts.repairs import Repair
from tasks.contracts.steps import Step

PAGE = Path(__file__).parent.parent / "docs" / "crash-points.md"
BEGIN, END = "<!-- the table begins -->\n", "<!-- the table ends -->\n"
HEAD = "| step | what it does | dies | left behind | mended by | within |\n|---|---|---|---|---|---|\n"


def table(jobs: JobSettings) -> str:
    """Return the table in Markdown, with the seconds that this pace makes."""
    return HEAD + "".join(_rows(step, jobs) for step in Step)


def page_with(page: str, written: str) -> str:
    """Return the page with this table in the place of the one it has."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{written}{END}{after}"


def _rows(step: Step, jobs: JobSettings) -> str:
    row = step.value
    return (
        f"| `{row.name}` | {row.does} | before | {row.before} | {_mended(row.mends_before, jobs)} |\n"
        f"| | | after | {row.after} | {_mended(row.mends_after, jobs)} |\n"
    )


def _mended(repair: Repair, jobs: JobSettings) -> str:
    return f"{repair.by} | {'—' if repair.within is None else f'{repair.within(jobs):g} s'}"


def main() -> None:
    """Write the page anew, with the settings of the environment or their defaults."""
    with Reader() as read:
        jobs = read_jobs(read)
    PAGE.write_text(page_with(PAGE.read_text(), table(jobs)))


if __name__ == "__main__":
    main()
