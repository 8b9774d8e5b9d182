"""Answers for those who ask all day: of history by the batch, of what came since by the stream."""
