"""What every long-running command needs: files written completely, folder locks, signals, processes, peak memory.

Nothing here imports torch before it is used. Import from the modules: `files`, `signals`, `processes`, `memory`,
`figures`.
"""

__all__: list[str] = []
