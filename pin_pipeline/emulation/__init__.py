"""The head of the pipeline: the source database, the emulator's draws from it, and where the drawn rows are posted."""
