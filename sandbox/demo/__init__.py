"""The demo: the main job, with thirty payments of mixed fate, and the books compared at the end."""
