"""Execute the notebooks and store them with their outputs, so that web views show these.

    python scripts/run_notebooks.py

They need the extra `notebook` and the dataset of `limner demo`, as `make notebook` makes it.
The stored outputs name no path of this machine, and figures are stored with 64 colors.
"""

import base64
import io
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
WIDTH = 480


def main() -> None:
    """Execute each notebook in its folder, and write it back."""
    # pip prints the addresses that it is configured with.
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        del os.environ[name]
    os.environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        print(path, file=sys.stderr)
        notebook = nbformat.read(path, as_version=4)
        where = {"metadata": {"path": path.parent}}
        NotebookClient(notebook, timeout=600, resources=where, coalesce_streams=True).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # the times of this run
            for output in cell.get("outputs", ()):
                if "text" in output:
                    output["text"] = output["text"].replace(sys.prefix, ".venv")
                if "image/png" in output.get("data", {}):
                    output["data"]["image/png"] = smaller(output["data"]["image/png"])
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)


def smaller(png: str) -> str:
    """A figure, in base64, with fewer pixels and colors."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    image.thumbnail((WIDTH, WIDTH))
    file = io.BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main()
