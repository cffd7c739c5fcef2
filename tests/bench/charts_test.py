"""The charts and tables of bench/charts, made from sample.py's made-up results. No clock is looked at.

charts_test.py [PROGRAM...]     PROGRAMs, such as bench_scaling, are run with --json, and what they write
                                is held to the form
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
CHARTS = os.path.join(ROOT, "bench", "charts")
sys.path.insert(0, CHARTS)
sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))

import axis  # noqa: E402
import charts  # noqa: E402
import comparison  # noqa: E402
import devices  # noqa: E402
import page  # noqa: E402
import results  # noqa: E402
import sample  # noqa: E402
import svg  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
LIGHT, DARK = "#ffffff", "#0d1117"  # the pages
PROGRAMS = []


def found():
    return {name: make() for name, make in sample.ALL.items()}


def made():
    return {name: ElementTree.fromstring(text) for name, (text, _) in charts.drawings(found()).items()}


def of_class(tree, tag, *classes):
    return [
        element for element in tree.iter(SVG + tag) if set(classes) <= set(element.get("class", "").split())
    ]


def box(text):
    """What a text may cover: (left, top, right, bottom); None for one that is turned."""
    size = float(text.get("font-size"))
    x, y, width = float(text.get("x")), float(text.get("y")), svg.width_of(text.text or "", size)
    left = x - {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
    return left, y - 0.75 * size, left + width, y + 0.2 * size


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class Drawings(unittest.TestCase):
    def test_every_chart_is_there(self):
        self.assertEqual(
            set(made()),
            {
                "times-1-thread.svg",
                "times-2-threads.svg",
                "ratios-1-thread.svg",
                "ratios-2-threads.svg",
                "start.svg",
                "scaling-b.svg",
                "scaling-t.svg",
                "scaling-h.svg",
                "scaling-threads.svg",
                "gpu-times-call.svg",
                "gpu-ratios-call.svg",
            },
        )

    def test_charts_tell_their_title_and_figures_and_hold_nothing_from_elsewhere(self):
        for name, (text, shown) in charts.drawings(found()).items():
            tree = ElementTree.fromstring(text)
            self.assertTrue(shown, name)
            self.assertEqual(tree.get("role"), "img", name)
            for tag in ("title", "desc"):
                self.assertGreater(len(tree.find(SVG + tag).text), 10, name)
            self.assertIn("prefers-color-scheme: dark", tree.find(SVG + "style").text)
            self.assertIsNone(
                re.search(r"<script|<image|<foreignObject|href|url\(|@import|@font-face|\son\w+=", text), name
            )
            self.assertEqual(
                [r for r in tree.iter(SVG + "rect") if float(r.get("width")) >= 800],
                [],
                f"{name}: a background",
            )

    def test_texts_are_large_enough_and_lie_inside_and_apart(self):
        for name, tree in made().items():
            width, height = float(tree.get("width")), float(tree.get("height"))
            boxes = [(text.text, box(text)) for text in tree.iter(SVG + "text")]
            for text in tree.iter(SVG + "text"):
                self.assertGreaterEqual(float(text.get("font-size")), 12, name)
            for index, (text, (left, top, right, bottom)) in enumerate(boxes):
                self.assertTrue(
                    left >= 0 and top >= 0 and right <= width and bottom <= height,
                    f"{name}: {text!r} leaves the picture",
                )
                for other, (l2, t2, r2, b2) in boxes[:index]:
                    apart = right <= l2 or r2 <= left or bottom <= t2 or b2 <= top
                    self.assertTrue(apart, f"{name}: {text!r} lies on {other!r}")

    def test_every_measured_time_is_a_bar_and_the_missing_one_says_why(self):
        data = sample.frameworks()
        for threads, name in ((1, "times-1-thread.svg"), (2, "times-2-threads.svg")):
            tree, rows = made()[name], results.rows(data, "time", threads=threads)
            measured = [row for row in rows if row["median_us"] is not None]
            self.assertEqual(len(of_class(tree, "rect")), len(measured))
            workloads = results.distinct(row["workload"] for row in rows)
            self.assertEqual(len(of_class(tree, "rect", "ours")), len(workloads))
            texts = [text.text for text in tree.iter(SVG + "text")]
            self.assertEqual(texts.count("not measured: the sample leaves it out"), len(rows) - len(measured))
            for system in sample.SYSTEMS:
                bars = [row for row in rows if row["system"] == system]
                self.assertEqual(texts.count(system), len(bars), "each bar has a name, not only a colour")
            self.assertIn("10.0 µs" if threads == 1 else "5.00 µs", texts)

    def test_bars_are_as_long_as_logarithms(self):
        tree = made()["times-1-thread.svg"]
        width = {}
        for bar in of_class(tree, "rect", "ours"):
            width[bar.find(SVG + "title").text.split(": ")[1].split(",")[0]] = float(bar.get("width"))
        decades = axis.Axis(1, 10, 0, 1)
        step = (width["260 ms"] - width["10.0 µs"]) / decades.at(10) / 4.41497  # log10(26000)
        self.assertAlmostEqual(width["7.00 ms"] - width["10.0 µs"], step * 2.84510, delta=0.2)  # log10(700)

    def test_ratios_tell_losses_apart_by_place_word_and_colour(self):
        tree = made()["ratios-2-threads.svg"]
        self.assertEqual(len(of_class(tree, "rect")), len(sample.WORKLOADS) * (len(sample.SYSTEMS) - 1))
        losses = of_class(tree, "rect", "loss")
        self.assertEqual(len(losses), 1)
        one = min(float(bar.get("x")) for bar in of_class(tree, "rect", "win"))
        self.assertLessEqual(float(losses[0].get("x")) + float(losses[0].get("width")), one + 0.2)
        self.assertIn("0.80x (cuseq is slower)", [text.text for text in tree.iter(SVG + "text")])

    def test_every_point_is_a_mark_in_both_panels_and_lines_differ_in_shape(self):
        data = sample.scaling()
        for sweep in ("B", "T", "H"):
            tree = made()[f"scaling-{sweep.lower()}.svg"]
            points = results.rows(data, "point", sweep=sweep)
            marks = [
                mark
                for tag in ("circle", "polygon")
                for mark in tree.iter(SVG + tag)
                if mark.find(SVG + "title") is not None
            ]
            self.assertEqual(len(marks), 2 * len(points))
            self.assertEqual(
                {mark.tag for mark in tree.iter() if mark.get("class") == "dot0"}, {SVG + "circle"}
            )
            self.assertEqual(
                {mark.tag for mark in tree.iter() if mark.get("class") == "dot1"}, {SVG + "polygon"}
            )
            floors = [line for line in of_class(tree, "polyline", "floor")]
            self.assertEqual(len(floors), 4, "a floor for each model and number of threads")
            self.assertEqual(len(of_class(tree, "polyline")), 3 * 4)

    def test_colours_stand_out_from_both_pages(self):
        for name, (light, dark) in svg.COLOURS.items():
            if name == "grid":
                continue
            least = 4.5 if name in ("ink", "faint") else 3.0
            self.assertGreaterEqual(contrast(light, LIGHT), least, name)
            self.assertGreaterEqual(contrast(dark, DARK), least, name)
            self.assertGreaterEqual(contrast(light, DARK), 2.3, f"{name}, the page is dark after all")
            self.assertGreaterEqual(contrast(dark, LIGHT), 2.3, f"{name}, the page is light after all")

    def test_nothing_is_drawn_without_results(self):
        self.assertEqual(charts.drawings({}), {})


class Figures(unittest.TestCase):
    def test_scales_go_through_their_ends(self):
        log, even = axis.Axis(1, 100, 0, 200), axis.Axis(0, 10, 100, 0, log=False)
        self.assertEqual([log.at(value) for value in (1, 10, 100, 1000)], [0, 100, 200, 200])
        self.assertEqual([even.at(value) for value in (0, 5, 10)], [100, 50, 0])
        self.assertEqual(
            [round(tick, 9) for tick in axis.Axis(0.5, 5000, 0, 400).ticks(50)], [1, 10, 100, 1000]
        )
        self.assertEqual(even.ticks(20), [0, 2, 4, 6, 8, 10])

    def test_figures_keep_three_digits(self):
        self.assertEqual(
            [axis.duration(us) for us in (0.1234, 9.996, 12.34, 999.4, 1234, 65432, 1.5e6)],
            ["0.123 µs", "10.00 µs", "12.3 µs", "999 µs", "1.23 ms", "65.4 ms", "1.50 s"],
        )
        self.assertEqual(
            [axis.ratio(value) for value in (0.798, 1.0, 25.04, 2506)], ["0.80x", "1.00x", "25.0x", "2506x"]
        )

    def test_summary_names_the_losses(self):
        text = comparison.summary(sample.frameworks())
        self.assertIn("fastest in 12 of 13 pairs", text)
        self.assertIn("- W4 on 2 threads: oneDNN takes 104 ms, cuseq 130 ms (0.80x)", text)

    def test_a_rival_may_do_better_on_fewer_threads(self):
        data = sample.frameworks()
        row = results.rows(data, "time", workload="W3", system="textbook C", threads=1)[0]
        row["median_us"] = 2000.0
        text = comparison.summary(data)
        self.assertIn("fastest in 10 of 13 pairs", text)
        self.assertIn("- W3 on 2 threads: textbook C takes 2.00 ms on 1 thread, cuseq 3.25 ms (0.62x)", text)

    def test_targets_say_whether_they_were_reached(self):
        lines = comparison.targets(sample.frameworks()).splitlines()[2:]
        self.assertEqual(
            lines,
            [
                "| this | 1.5x | reached |",
                "| that | 1.5x | **missed** |",
                "| the other | 1.5x | not measured |",
            ],
        )

    def test_gpu_times_stand_beside_ours_and_their_floor(self):
        lines = devices.gpu(sample.gpu()).splitlines()
        self.assertIn("| W1 | cuseq | 10.0 µs |  | 20.0 µs | 5.00 µs (chain) | 50% |  |", lines)
        self.assertIn("| W1 | cuDNN | 30.0 µs | 3.00x | 60.0 µs | 5.00 µs (chain) | 17% |  |", lines)
        self.assertIn("| H 96 | cuDNN | not measured: not there |  |  |  |  |  |", lines)

    def test_gpu_goals_cycles_and_the_device_stand_in_tables(self):
        lines = devices.gpu(sample.gpu()).splitlines()
        self.assertIn("| W4, at most 1 ms | 0.9 ms | reached |", lines)
        self.assertIn("| LSTM, H 16 | warp16 | 300 | 450 | 1.50x |", lines)
        self.assertIn("| LSTM, H 32 | warp32 | 350 | not measured |  |", lines)
        self.assertIn("| a node of a graph | 2.5 us |", lines)

    def test_cells_do_not_break_their_table(self):
        text = comparison.systems(sample.frameworks())
        self.assertIn("nothing \\| at all", text)

    def test_what_was_not_measured_says_so_everywhere(self):
        for name, text in charts.parts({}, {}).items():
            self.assertIn("ot measured" if name != "machines" else "not measured", text, name)
            self.assertIsNone(re.search(r"\d (µs|ms)\b", text), name)


class Form(unittest.TestCase):
    def test_samples_have_the_form(self):
        for name, data in found().items():
            results.check(data, name)

    def test_every_member_that_is_asked_for_is_described(self):
        with open(os.path.join(ROOT, "bench", "results", "README.md"), encoding="utf-8") as file:
            lines = {line.split("|")[1].strip(): line for line in file if line.startswith("| ")}
        for kind, members in results.ROWS.items():
            for member in members:
                self.assertRegex(lines[kind], rf"\b{member}\b", kind)

    def test_what_has_not_the_form_is_refused(self):
        def spoilt(change):
            data = sample.frameworks()
            change(data)
            return data

        row = 0
        cases = {
            "another bench": lambda d: d.update(bench="cpu"),
            "no commit": lambda d: d.pop("commit"),
            "unknown kind": lambda d: d["rows"][row].update(kind="guess"),
            "no system": lambda d: d["rows"][row].pop("system"),
            "null without a reason": lambda d: d["rows"][row].update(median_us=None),
            "text for a number": lambda d: d["rows"][row].update(median_us="12"),
            "infinite": lambda d: d["rows"][row].update(median_us=float("inf")),
            "half a thread": lambda d: d["rows"][row].update(threads=1.5),
        }
        for what, change in cases.items():
            with self.assertRaises(results.Bad, msg=what):
                results.check(spoilt(change), "frameworks")

    def test_programs_write_the_form(self):
        for program in PROGRAMS:
            name = os.path.basename(program).removeprefix("bench_")
            few = {"cpu": ["--rounds", "2", "--only", "W1"], "scaling": ["--quick", "--rounds", "1"]}[name]
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, name + ".json")
                subprocess.run(
                    [program, *few, "--json", path], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
                )
                data = results.load(folder)[name]
                self.assertEqual(os.listdir(folder), [name + ".json"])
            self.assertNotIn(folder, json.dumps(data))
            wanted = {"cpu": {"time", "machine"}, "scaling": {"point", "machine"}}[name]
            self.assertLessEqual(wanted, {row["kind"] for row in data["rows"]})

    def test_programs_say_at_once_that_a_file_cannot_be_written(self):
        for program in PROGRAMS:
            told = subprocess.run(
                [program, "--json", "/nonexistent/results.json"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual((told.returncode, told.stdout), (2, ""))
            self.assertEqual(told.stderr, "bench: /nonexistent/results.json: cannot be written\n")


class Pages(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        os.makedirs(os.path.join(self.root, "docs"))
        self.results = os.path.join(self.root, "bench", "results")
        os.makedirs(self.results)
        for name in charts.PAGES:
            shutil.copy(os.path.join(ROOT, name), os.path.join(self.root, name))
        for name, data in found().items():
            with open(os.path.join(self.results, name + ".json"), "w", encoding="utf-8") as file:
                json.dump(data, file)

    def run_charts(self, *more):
        return subprocess.run(
            [sys.executable, "-B", os.path.join(CHARTS, "charts.py"), "--root", self.root, *more],
            capture_output=True,
            text=True,
            check=False,
        )

    def read(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8") as file:
            return file.read()

    def test_pages_follow_the_results_and_keep_their_prose(self):
        self.assertEqual(self.run_charts().returncode, 0)
        self.assertEqual(self.run_charts("--check").returncode, 0, "made twice, it is the same")
        text = self.read("docs/performance.md")
        self.assertIn("synthetic sample", text)
        self.assertIn('<img src="performance/times-1-thread.svg"', text)
        for name in re.findall(r'src="(performance/[^"]+)"', text):
            self.assertTrue(os.path.exists(os.path.join(self.root, "docs", name)), name)
        for name in charts.PAGES:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                self.assertEqual(page.PART.sub("", file.read()), page.PART.sub("", self.read(name)))
        os.remove(os.path.join(self.results, "frameworks.json"))
        self.assertEqual(self.run_charts("--check").returncode, 1)
        self.assertEqual(self.run_charts().returncode, 0)
        self.assertNotIn("oneDNN takes", self.read("docs/performance.md"))
        self.assertFalse(
            os.path.exists(os.path.join(self.root, "docs", "performance", "start.svg")),
            "a chart of nothing is removed",
        )

    def test_a_changed_figure_is_found(self):
        self.assertEqual(self.run_charts().returncode, 0)
        path = os.path.join(self.root, "docs", "performance.md")
        text = self.read("docs/performance.md").replace("(0.80x)", "(1.20x)", 1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        told = self.run_charts("--check")
        self.assertEqual(told.returncode, 1)
        self.assertIn("docs/performance.md", told.stderr)

    def test_bad_results_and_marks_are_one_line(self):
        with open(os.path.join(self.results, "cpu.json"), "w", encoding="utf-8") as file:
            file.write('{"bench": NaN}')
        told = self.run_charts()
        self.assertEqual((told.returncode, told.stderr.count("\n")), (2, 1), told.stderr)
        with self.assertRaises(page.Bad):
            page.fill("<!-- bench charts: nothing -->\n<!-- end -->", {}, "page")
        with self.assertRaises(page.Bad):
            page.fill("<!-- bench charts: a -->\n", {"a": "text\n"}, "page")

    def test_prose_tells_no_measured_figure(self):
        for name in ("docs/performance.md",):
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                prose = page.PART.sub("", file.read())
            self.assertEqual(
                re.findall(r"\d[\d.]*\s?(?:µs|us|ms|microseconds|GFLOP/s|GB/s|MB|%|x\b)", prose), [], name
            )


class Committed(unittest.TestCase):
    def test_pages_and_charts_are_what_the_results_give(self):
        told = subprocess.run(
            [sys.executable, "-B", os.path.join(CHARTS, "charts.py"), "--check"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(told.returncode, 0, told.stderr)

    def test_results_that_are_kept_were_measured(self):
        for name, data in results.load(os.path.join(ROOT, "bench", "results")).items():
            self.assertNotIn("synthetic", data["machine"], name)


if __name__ == "__main__":
    PROGRAMS = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
