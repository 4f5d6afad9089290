"""What the recipes share. docs/architecture.md lists the rooms."""

from shared.core.program import start_program

start_program()
