"""Taking up what programs have recorded on their own, before anything is answered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tracelens_indexer.errors import TraceLensError


def take_up(root: Path, say: Callable[[str], None]) -> None:
    """Import the recordings that wait in `.tracelens/incoming`, each as a run, and remove them.

    What cannot be imported stays where it is, and is told. Costs one look into a folder where nothing waits.
    """
    from tracelens_indexer.store import Layout
    from tracelens_indexer.traces.incoming import finished

    layout = Layout(root)
    waiting = finished(layout.incoming)
    if not waiting or layout.distrust():
        return
    from tracelens_indexer.indexing import index_workspace
    from tracelens_indexer.store import Writer
    from tracelens_indexer.traces.importing import import_recordings

    try:
        index_workspace(root, said=say, searchable=False)
        with Writer(root, say) as writer:
            for name, folder in waiting:
                try:
                    summary = import_recordings(writer, folder, name=name)
                except TraceLensError as error:
                    if folder.is_dir():  # else another command was first
                        say(f"{folder}: {error}")
                    continue
                shutil.rmtree(folder, ignore_errors=True)
                if not summary.already_imported:
                    say(f'took up the recording "{name}": {summary.units:,} units')
    except TraceLensError as error:
        say(f"{len(waiting)} recordings wait in {layout.incoming}: {error}")
