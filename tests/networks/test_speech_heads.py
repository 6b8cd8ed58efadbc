"""Heads on frames: pooling by hand, padding that changes nothing, stacks that are their members, matched capacities."""

import copy

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from stages import victim
from stages.frame import parameters
from stages.frame.code import TOP
from stages.frame.errors import UserError
from stages.networks import aligned, pooling

HEADS = {
    "mean": {},
    "mean_max": {},
    "attention": {},
    "mlp": {"hidden_units": [7, 6]},
    "both": {"modalities": "both"},
    "speech": {"modalities": "speech"},
    "text": {"modalities": "text"},
    "lstm": {"modalities": "both", "cell": "lstm"},
}
ALIGNED = {"head": "aligned", "units": 6, "attention_heads": 3, "frame_stride": 3, "text_features": 4, "cell": "gru"}
LENGTHS, PIECES = torch.tensor([11, 4, 7]), torch.tensor([2, 5, 3])


def build(name, dropout=0.0, seed=0, features=5):
    torch.manual_seed(seed)
    own = ALIGNED | HEADS[name] if "modalities" in HEADS[name] else {"head": name} | HEADS[name]
    head = victim.build("speech_heads", 3, own | {"dropout": dropout}, where="t", signal={"features": features})
    head.mean.normal_()
    head.deviation.uniform_(0.5, 2)
    return head.eval()


def inputs(head):
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(3, 11, 5, generator=generator)
    text = torch.randn(3, 5, 4, generator=generator)
    return (frames, LENGTHS, text, PIECES) if head.takes_text else (frames, LENGTHS)


@pytest.mark.parametrize("name", HEADS)
def test_padding_and_batch_mates_change_nothing(name):
    head = build(name)
    given = inputs(head)
    together = head(*given)
    spoilt = [values.clone() for values in given]
    for values, lengths in zip(spoilt[::2], spoilt[1::2]):
        values[~pooling.inside(values, lengths)] = 1e3
    assert torch.allclose(head(*spoilt), together, atol=1e-5)
    for row in range(3):
        alone = [values[row : row + 1] for values in given]
        alone[0] = alone[0][:, : LENGTHS[row]]
        assert torch.allclose(head(*alone)[0], together[row], atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_a_stack_gives_each_members_logits_and_gradients(name):
    members = [build(name, seed=seed) for seed in range(3)]
    parameters_, buffers = stack_module_state(members)
    base = copy.deepcopy(members[0])
    given, targets = inputs(base), torch.tensor([0, 1, 2])

    def loss(values, constants):
        return cross_entropy(functional_call(base, (values, constants), given), targets)

    losses = vmap(loss, randomness="different")(parameters_, buffers)
    gradients = torch.autograd.grad(losses.sum(), list(parameters_.values()))
    for number, member in enumerate(members):
        alone = cross_entropy(member(*given), targets)
        assert torch.allclose(losses[number], alone, atol=1e-6)
        for ours, theirs in zip(gradients, torch.autograd.grad(alone, list(member.parameters()))):
            assert torch.allclose(ours[number], theirs, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_says_the_same_of_condensed_frames(name):
    head = build(name)
    frames, lengths, *text = inputs(head)
    condensed = head.condensed(frames, lengths)
    assert condensed[0].shape[1] == {"mean": 1, "mean_max": 2, "attention": 11, "mlp": 11}.get(name, 4)
    assert torch.allclose(head(*condensed, *text, condensed=True), head(frames, lengths, *text), atol=1e-6)


def test_members_of_a_stack_drop_different_values():
    member = build("mlp", dropout=0.5).train()
    state = stack_module_state([member, member])
    logits = vmap(lambda *own: functional_call(member, own, inputs(member)), randomness="different")(*state)
    assert not torch.allclose(logits[0], logits[1])


def test_pooling_by_hand():
    frames = torch.tensor([[[1.0, 2.0], [3.0, -4.0], [100.0, 100.0]]])
    own = pooling.inside(frames, torch.tensor([2]))
    assert pooling.mean(frames, own).tolist() == [[2.0, -1.0]]
    assert pooling.maximum(frames, own).tolist() == [[3.0, 2.0]]
    shares = pooling.weights(torch.tensor([[0.0, 0.0, 50.0]]), own)
    assert shares.tolist() == [[0.5, 0.5, 0.0]]


POOLED = {
    "mean": lambda head, own: own.mean(0),
    "mean_max": lambda head, own: torch.cat([own.mean(0), own.amax(0)]),
    "attention": lambda head, own: head.relevance(own)[:, 0].softmax(0) @ own,
    "mlp": lambda head, own: head.frame_wise[3](head.frame_wise[0](own).relu()).relu().mean(0),
}


@pytest.mark.parametrize("name", POOLED)
def test_a_pooling_head_is_a_linear_layer_on_what_its_clips_alone_give(name):
    head = build(name)
    frames, lengths = inputs(head)
    standardised = [(row[:length] - head.mean) / head.deviation for row, length in zip(frames, lengths.tolist())]
    expected = head.last(torch.stack([POOLED[name](head, own) for own in standardised]))
    assert torch.allclose(head(frames, lengths), expected, atol=1e-5)


def test_frames_are_averaged_in_groups_of_which_the_last_holds_what_remains():
    frames = torch.tensor([[1.0, 3.0, 5.0, 7.0, 100.0], [2.0, 4.0, 6.0, 100.0, 100.0]])[..., None]
    means, counts = aligned._averaged(frames, torch.tensor([4, 3]), 2)
    assert means[..., 0].tolist() == [[2.0, 6.0, 0.0], [3.0, 6.0, 0.0]]
    assert counts.tolist() == [2, 2]


def test_speech_and_text_are_both_standardised():
    head, plain = build("both"), build("both")
    head.text_mean.normal_()
    head.text_deviation.uniform_(0.5, 2)
    plain.mean.zero_()
    plain.deviation.fill_(1)
    frames, lengths, text, pieces = inputs(head)
    speech = (frames - head.mean) / head.deviation
    expected = plain(speech, lengths, (text - head.text_mean) / head.text_deviation, pieces)
    assert torch.allclose(head(frames, lengths, text, pieces), expected, atol=1e-6)


def test_each_piece_divides_its_whole_attention_among_the_frames_of_its_clip():
    head = build("both")
    torch.manual_seed(0)
    pieces, speech = torch.randn(3, 5, 12), torch.randn(3, 4, 12)
    heard = pooling.inside(speech, torch.tensor([4, 2, 3]))
    shares = head.align.weights(pieces, speech, heard)
    assert shares.shape == (3, 3, 5, 4)
    assert torch.allclose(shares.sum(-1), torch.ones(3, 3, 5), atol=1e-6)
    assert (shares[1, ..., 2:] == 0).all()


def test_modalities_count_where_they_are_said_to():
    for name, (speech, text) in {"both": (True, True), "speech": (True, False), "text": (False, True)}.items():
        head = build(name)
        assert (head.hears, head.takes_text) == (speech, text)
        frames, lengths, words, pieces = inputs(build("both"))
        clean = head(frames, lengths, words, pieces)
        assert (not torch.allclose(head(-frames, lengths, words, pieces), clean)) == speech
        assert (not torch.allclose(head(frames, lengths, -words, pieces), clean)) == text


def test_dropout_acts_in_training_alone():
    head = build("mlp", dropout=0.5)
    given = inputs(head)
    assert torch.equal(head(*given), head(*given))
    head.train()
    assert not torch.equal(head(*given), head(*given))


@pytest.mark.parametrize("scale", ["params.yaml", "scales/paper.yaml"])
def test_both_features_have_an_mlp_of_the_same_capacity(scale):
    """LLD's few features get more layers and units, as in the paper, to within 2 % of wav2vec's parameters."""
    values = parameters.section("transfer.victims", TOP / scale)
    counts = []
    for name, features in (("lld_heads", 34), ("wav2vec_heads", 512 if "paper" in scale else 64)):
        units = values[name]["parameters"]["hidden_units"]
        own = {"head": "mlp", "dropout": 0.3, "hidden_units": units}
        head = victim.build("speech_heads", 4, own, where="t", signal={"features": features})
        counts.append(sum(value.numel() for value in head.parameters()))
    assert counts[0] == pytest.approx(counts[1], rel=0.02)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"head": "mlp"}, "hidden_units of head mlp: expected the hidden units of each layer; found None"),
        ({"head": "aligned"}, "head aligned: expected a victim whose `beside` is a set of texts; found none"),
        (ALIGNED | {"attention_heads": 5}, "attention_heads: expected a divisor of 12; found 5"),
        ({"head": "max"}, "head: expected one of 'mean'"),
    ],
)
def test_a_wrong_parameter_is_one_line(own, message):
    with pytest.raises(UserError, match=message):
        victim.build("speech_heads", 3, own | {"dropout": 0.1}, where="t", signal={"features": 5})
