"""What goes wrong with Databricks; apart from its SDK, which takes long to import."""


class WorkspaceError(Exception):
    """Databricks did not do what it was asked; says what that was, where, and what to do next."""
