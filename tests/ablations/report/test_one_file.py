"""A finding and a figure are one new file each: found, called with what is known, and put in their place."""

import subprocess
import sys
from pathlib import Path

FINDINGS = {
    "spread.py": '''
from ablations.report.findings import Known, Statement, finding

@finding("spread", order=15)
def spread(known: Known):
    """Say how many configurations there are, in two statements."""
    yield Statement("Configurations", f"{len(known.configurations)} of {known.configurations[0].dataset}.")
    yield Statement("Baseline", str(dict(known.baseline)))
''',
    "whole.py": '''
from ablations.report.findings import Known, Statement, finding

@finding("whole", order=5, heading="The study")
def whole(known: Known):
    """Say how many configurations there are in all data sets."""
    yield Statement("Size", f"{len(known.configurations)} in all.")
''',
    "silent.py": '''
from ablations.report.findings import Known, finding

@finding("silent", order=6, heading="Nothing")
def silent(known: Known):
    """Say nothing, so that its heading is not shown either."""
    return ()
''',
}
FIGURES = {
    "dots.py": '''
from ablations.report.figures import Drawn, LeftOut, Shown, figure
from ablations.report.style import new_figure

@figure("dots", order=15)
def dots(shown: Shown):
    """Draw a dot a configuration, and leave another drawing out."""
    plot, (axes,) = new_figure(1)
    axes.plot([one.mean(shown.grid.main) for one in shown.grid.within(shown.dataset)], "o")
    yield Drawn(f"dots-{shown.dataset}", f"Dots: {shown.dataset}", "Dots.", "1 dot.", plot)
    yield LeftOut("Lines", "there are dots")
''',
    "all.py": '''
from ablations.report.figures import LeftOut, Shown, figure

@figure("all", order=1, whole=True)
def all_(shown: Shown):
    """Leave a figure of the study as a whole out."""
    yield LeftOut("All", ", ".join(shown.grid.datasets))
''',
}
SCRIPT = """
import sys
from pathlib import Path
from ablations.analysis.grid import Grid
from ablations.report import figures, findings
from ablations.report.loaders import Loaders
from bench import synthetic

figures.__path__.append(sys.argv[1] + "/figures")
findings.__path__.append(sys.argv[1] + "/findings")
few = dict(models=("conv",), latents=(2, 4), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,), broken=False)
made = synthetic.joined(synthetic.demo(**few), synthetic.demo(dataset="faces", **few))
grid = Grid.of(made.records)
for one in findings.answer(grid, {"model": "conv"}):
    for said in one.statements:
        print("said", one.dataset, said.lead, said.text, sep="|")
source = made.source()
for one in figures.draw(grid, Loaders(source.history, lambda _: {}), embedding="pca"):
    print("drawn", one.title, getattr(one, "reason", ""), sep="|")
"""


def test_one_new_file_is_a_finding_and_one_is_a_figure(tmp_path: Path) -> None:
    for room, files in (("findings", FINDINGS), ("figures", FIGURES)):
        (tmp_path / room).mkdir()
        for name, text in files.items():
            (tmp_path / room / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split("|") for line in done.stdout.splitlines()]
    said = [line[1:] for line in lines if line[0] == "said"]
    assert said[0] == ["The study", "Size", "4 in all."]
    for dataset in ("digits", "faces"):
        leads = [lead for name, lead, _ in said if name == dataset]
        assert leads[leads.index("Configurations") + 1] == "Baseline"
        assert leads.index("Highest SSIM") < leads.index("Configurations") < leads.index("Latent size")
        assert [dataset, "Configurations", f"2 of {dataset}."] in said
    assert not any(name == "Nothing" for name, *_ in said)
    drawn = [line[1:] for line in lines if line[0] == "drawn"]
    assert drawn[0] == ["All", "digits, faces"], "once, before those of the data sets"
    titles = [title for title, _ in drawn]
    for dataset in ("digits", "faces"):
        place = titles.index(f"Dots: {dataset}")
        assert titles[place - 1].endswith(f"accuracy against latent size: {dataset}")
        assert drawn[place + 1] == ["Lines", "there are dots"]
