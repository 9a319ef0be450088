"""A one-page PDF (ISO 32000-1) of some lines of text: what the address of an invoice's PDF answers."""

from collections.abc import Sequence
from typing import Final

MOST_LINES: Final = 50  # that fit on a page; the last one says that there are more
FONT_SIZE: Final = 11
LEADING: Final = 14  # from one line of text to the next, in points


def pdf(lines: Sequence[str]) -> bytes:
    """Return a PDF of one A4 page with the given lines; characters outside Latin-1 become question marks."""
    fitting = [*lines[: MOST_LINES - 1], "..."] if len(lines) > MOST_LINES else lines
    text = "".join(f"({_escaped(line)}) Tj T*\n" for line in fitting)
    content = f"BT /F1 {FONT_SIZE} Tf {LEADING} TL 56 786 Td\n{text}ET".encode("latin-1", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    """Return the file of numbered objects, with the table that says at which byte each begins."""
    body, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return body + head + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(body))


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
