"""Processes that start fast: they are forked from a server that has imported the modules they need."""

from __future__ import annotations

from multiprocessing import get_context

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "pin_pipeline.backends",
        "pin_pipeline.batch.queries",
        "pin_pipeline.emulator.emulator",
        "pin_pipeline.emulator.sinks",
        "pin_pipeline.emulator.synthetic",
        "pin_pipeline.landing.lander",
        "pin_pipeline.local.servers",
        "pin_pipeline.quarantine.summary",
        "pin_pipeline.reconciliation.stream",
        "pin_pipeline.reconciliation.topic",
        "pin_pipeline_tests.streaming.writer_process",
        "rich.table",
        "typer",
    ]
)
"""Context of the processes.

The modules of `pin_pipeline.cli` are not imported: their console reads the environment variables of the terminal.
"""
