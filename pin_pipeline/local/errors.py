"""What stops the local environment, in one sentence."""


class LocalError(Exception):
    """The local environment cannot do what was asked; says why and what to do."""
