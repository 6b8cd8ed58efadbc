"""The tables of the study of real models, of clips whose words can be counted by hand, and its cards."""

import pandas as pd
import pytest
from clones import ROOT

from stages.studies.real import tables


def clips(**columns):
    """Four clips of two speakers, each of four words."""
    made = {"clip_id": [f"c{n}" for n in range(4)], "speaker": ["s1", "s1", "s2", "s2"], "split": "test"}
    return pd.DataFrame(made | {"text": "one two three four", "label": "", "target": ""} | columns)


def emotions(wrong):
    """Decisions of each model on six clips of two speakers and two labels, of which so many clips are wrong."""
    rows = pd.DataFrame(
        {"clip_id": [f"e{n}" for n in range(8)], "label": ["a", "b"] * 4, "speaker": ["s1"] * 4 + ["s2"] * 4}
    )
    rows["decision"] = rows.label.where(rows.index >= wrong, rows.label.map({"a": "b", "b": "a"}))
    parts = [
        rows.assign(model=model, size=size, draw=0) for model in ("mlp", "bimodal", "text") for size in ("100", "all")
    ]
    return pd.concat(parts, ignore_index=True)


def behind(treatment, knowledge, decisions, *, target, times=1):
    """What Whisper hears of the four clips behind a treatment, by what attackers know of it."""
    told = {"study": "real", "entry": "phrases" if target else "words", "victim": "whisper", "guard": treatment}
    told |= {"knowledge": knowledge, "times": times, "reached": 30.0, "score": float("nan"), "target": target}
    made = clips(decision=decisions, **told)
    right = made.decision != target if target else made.decision == made.text
    return made.assign(right=right.astype(float))


@pytest.fixture(scope="module")
def made():
    right, half, door = "one two three four", "one two", "open the door"
    aimed = clips(attack="smallest", through="", entry="phrases", clean_prediction=right)
    aimed = aimed.assign(target=[door, door, "stop", door])
    aimed = aimed.assign(adversarial_prediction=[door, door, "stop", right], success=[True, True, True, False])
    aimed = aimed.assign(snr_db=[30.0, 20.0, 40.0, 99.0], backwards=10, impossible=False)
    against = clips(attack="pgd_30", through="", entry="untargeted", clean_prediction=[right, right, right, half])
    against = against.assign(adversarial_prediction=[half, half, right, half], success=True, impossible=False)
    noise = pd.DataFrame(
        {"clip_id": ["n1", "n2"], "speaker": ["rain", "sea"], "split": "test", "text": "", "target": ""}
    )
    noise = noise.assign(label="noise", attack="normalised", through="", entry="sounds", success=[True, False])
    noise = noise.assign(snr_db=[12.0, 5.0], clean_prediction="noise", adversarial_prediction=["speech", "noise"])
    attacked = pd.concat(
        [aimed, against.assign(snr_db=30.0, backwards=10), noise.assign(backwards=10, impossible=False)]
    )
    words = [behind("nsnet2", "unaware", [right, right, half, half], target="")]
    words += [behind("nsnet2", "aware", [half, half, half, right], target="")]
    words += [behind("nsnet2", "aware", [right, right, right, half], target="", times=2).tail(1)]
    phrases = [behind("none", "unaware", [door] * 4, target=door), behind("none", "aware", [door] * 4, target=door)]
    phrases += [behind("mp3", "unaware", [right] * 4, target=door)]
    phrases += [behind("mp3", "aware", [door, door, right, right], target=door).assign(reached=25.0)]
    measures = {name: [1.0, 2.0, 3.0, float("nan")] for name in tables.QUALITY}
    mixtures = clips(version="noisy", treatment="nsnet2", decision=[right, right, right, half], **measures)
    return tables.tables(
        tables.Measured(
            recognised=tables.prepared(clips(decision=[right, half, right, "one two three for"]), "decision"),
            attacked=tables.prepared(attacked, "adversarial_prediction"),
            treated=tables.prepared(pd.concat(words + phrases), "decision"),
            mixtures=tables.prepared(mixtures, "decision"),
            emotions={"lld_heads": emotions(4), "whisper_heads": emotions(2)}
            | {"bimodal_small_bert": emotions(2), "bimodal_minilm": emotions(2)},
        )
    )


def only(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_word_error_rates_are_of_all_words(made):
    clean = made["table_recogniser"].iloc[0]
    assert (clean.wer, clean.words, clean.n, clean.speakers) == (pytest.approx(3 / 16, abs=1e-4), 16, 4, 2)
    row = only(made["table_untargeted"], attack="pgd_30")
    assert (row.wer_clean, row.wer, row.changed) == (2 / 16, 6 / 16, 0.5)
    assert only(made["table_enhancers"], treatment="nsnet2").wer == 2 / 16


def test_how_loud_is_of_the_clips_that_fell_and_whether_is_of_all(made):
    assert list(made["table_phrases"].target) == ["all", "open the door", "stop"]
    row = only(made["table_phrases"], attack="smallest", target="all")
    assert (row.success, row.n, row.fallen) == (0.75, 4, 3)
    assert (row.snr_median_db, row.snr_lowest_db, row.snr_highest_db) == (30.0, 20.0, 40.0)
    row = only(made["table_sounds"], sound="noise")
    assert (row.success, row.snr_median_db) == (0.5, 12.0)
    assert only(made["table_phrases"], attack="smallest", target="stop").snr_median_db == 40.0


def test_behind_treatments_words_are_counted_and_phrases_come_to_nothing_or_not(made):
    row = only(made["table_treated"], guard="nsnet2")
    assert (row.wer_unaware, row.wer_aware, row.n) == (4 / 16, 8 / 16, 4)  # of one clip the longer try counts
    assert pd.isna(row.wer_none) and pd.isna(row.aware)
    row = only(made["table_treated"], guard="mp3")
    assert (row.unaware, row.aware, row.difference, row.phrases) == (1, 0.5, 0.5, 4)
    assert (row.snr_db_unaware, row.snr_db_aware) == (30, 25)


def test_quality_is_the_mean_of_what_is_defined(made):
    row = only(made["table_enhancers"], treatment="nsnet2")
    assert (row.pesq_wb, row.opinion_overall) == (2.0, 2.0)


def test_recall_and_its_difference_are_of_the_same_clips(made):
    assert only(made["table_emotions"], victim="lld_heads", examples="100").uar == 0.5
    assert only(made["table_emotions"], victim="whisper_heads", examples="all").uar == 0.75
    row = only(made["table_emotions_paired"], examples="all")
    assert (row.uar, row.n, row.speakers) == (0.25, 8, 2) and row.uar_low <= 0.25 <= row.uar_high
    assert only(made["table_dialogs"], victim="bimodal_minilm less bimodal_small_bert", model="text").uar == 0


def test_headline_numbers_are_those_of_the_tables(made):
    told = tables.metrics(made)
    assert set(told) == set(tables.HEADLINES)
    assert (told["defended_percent"], told["aware_percent"]) == (75, 50)
    assert told["clean_percent"] == 81.25 and told["attacked_percent"] == 62.5 and told["attack_snr_db"] == 30.0
    assert told["clean_defended_percent"] == 87.5


def test_cards_are_of_the_packages_that_are_pinned(made):
    pinned = (ROOT / "requirements-real.txt").read_text()
    assert len(made["table_models"]) == 5 and (made["table_models"] != "").all(axis=None)
    for row in made["table_models"].itertuples():
        assert f"{row.package.replace(' ', '==')} --hash=sha256:{row.sha256}\n" in pinned
