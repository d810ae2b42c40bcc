"""Terms from a file that lies beside a recording, through the whole program."""

NAMED = "A small boat called Bexaroth was waiting at the pier. We asked Tolquist to bring the papers to the meeting."


def test_a_file_of_terms_beside_a_recording_is_taken(program, studio):
    """The names are right, the JSON tells what was expected, and adding the file again finds the same job."""
    media = studio.speak("heart", NAMED).save(program.folder / "boat.wav")
    (program.folder / "boat.terms.csv").write_text("term,alias\nBexaroth,big sir Roth\n", encoding="utf-8")
    (program.folder / "terms.txt").write_text("# people\nTolquist\n", encoding="utf-8")
    for _ in range(2):
        done = program.run(media, "--model", "tiny.en")
        assert done.status == 0, done.err
    assert len(program.status()) == 1
    assert "called Bexaroth was" in program.text("boat")
    assert "asked Tolquist to" in program.text("boat")
    data = program.transcript("boat")
    assert data["terms"] == ["Bexaroth", "Tolquist"]
    assert data["corrections"] == []
    (program.folder / "terms.txt").write_text("Tolquist\nQuillamar\n", encoding="utf-8")
    assert program.run(media, "--model", "tiny.en").status == 0
    assert len(program.status()) == 2


def test_a_broken_file_of_terms_costs_no_job(program, studio):
    """It is a warning with file and place, and the recording is transcribed without its terms."""
    media = studio.speak("heart", NAMED).save(program.folder / "boat.wav")
    (program.folder / "boat.terms.toml").write_text('terms = ["Tolquist", {text = "Bexaroth", when = 3}]')
    done = program.run(media, "--model", "tiny.en")
    assert done.status == 0, done.err
    data = program.transcript("boat")
    assert data["terms"] == []
    (warning,) = data["warnings"]
    assert warning.startswith(f'{program.folder / "boat.terms.toml"}, term 2: there is no "when"')
    assert warning in done.err.replace("\n", " ")
