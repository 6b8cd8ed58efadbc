"""Room of networks: Whisper from transformers (Radford et al. 2023), a sequence model, and the victim that it makes.

What the encoder hears stands where other networks have logits: what is written follows from it and from what was
written before, token by token.
"""

from typing import Any
from unicodedata import category

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages.frame.ctc import PADDING
from stages.frame.errors import UserError
from stages.frame.parameters import Count
from stages.networks.extracted import front_end, without_weights
from stages.victim import Goal, Inputs, Transcriber, inside, rounding


class SequenceTranscriber(Transcriber):
    """A model that writes texts token by token, each by what it hears and what it wrote before.

    Its decisions are plain texts: lower case, letters, digits and apostrophes, one space between words. Labels are
    (examples, characters), Unicode numbers, `PADDING` after a text's end. Its logits are what its encoder hears.
    """

    def __init__(self, module: nn.Module, labels: list[str], **options: Any):
        super().__init__(module, labels, **options)
        # A treatment may stand in front of it.
        self.network = next(one for one in module.modules() if isinstance(one, Whisper))
        if getattr(module, "draws", 1) > 1:
            expected = "a treatment drawn once at each look (draws: 1)"
            raise UserError("an attack on a sequence model", expected, f"{module.draws} draws", "correct it")
        # What was asked last, and what is written of it: a search is long, and more than one thing is asked of a look.
        self._last: tuple[Tensor, Tensor] | None = None

    def sure(self, logits: Tensor) -> Tensor:
        """Whether each token of the text is the most probable one by itself, in a batch of any size (examples,)."""
        tokens = self._written(logits)
        with torch.no_grad():
            raw = self.network.logits_of(logits, tokens)
        (first, second), (best, _) = (one.unbind(-1) for one in self.network.allowed(raw).topk(2, -1))
        unsure = rounding(raw.flatten(0, 1)).view(tokens.shape)
        return ((best == tokens) & (first - second > unsure) | (tokens == PADDING)).all(1)

    def loss(self, logits: Tensor, goal: Goal) -> Tensor:
        """Minus the logarithm of the target's probability, or for an untargeted goal that of the text's.

        Of a text that has no room it is that of its beginning.
        """
        tokens = self._tokens(goal.labels)[:, : self.network.longest - len(self.network.prefix)]
        log_p = self._log_probabilities(self.network.logits_of(logits, tokens).double(), tokens)
        loss = -log_p.masked_fill(tokens == PADDING, 0).sum(1).to(logits.dtype)
        return loss if goal.targeted else -loss

    def possible(self, inputs: Inputs, goal: Goal) -> Tensor:
        """Whether there is any decision that would meet the goal (examples,): its tokens have places and can be."""
        tokens = self._tokens(goal.labels)
        room = (tokens != PADDING).sum(1) + len(self.network.prefix) <= self.network.longest
        never = torch.isin(tokens, self.network._indices(self.network.suppressed, tokens)).any(1)
        return room & ~never | (not goal.targeted)

    def decode(self, logits: Tensor, inputs: Inputs | None = None) -> tuple[Tensor, Tensor]:
        """The text (examples, characters), and the geometric mean of its tokens' probabilities."""
        tokens = self._written(logits)
        with torch.no_grad():
            log_p = self._log_probabilities(self.network.logits_of(logits, tokens), tokens)
        own = tokens != PADDING
        mean = log_p.masked_fill(~own, 0).sum(1) / own.sum(1).clamp_min(1)
        rows = [[token for token in row if token >= 0] for row in tokens.tolist()]
        texts = self.network.tokenizer.decode_batch(rows, skip_special_tokens=True)
        return self._numbers(map(plain, texts)), mean.exp()

    def encode(self, names: list[str]) -> Tensor:
        """The characters of these texts (examples, longest).

        Raises:
            UserError: a text that the model can't write.
        """
        for name in names:
            spelled = self.network.tokenizer.decode(self._spelled(name))
            if plain(spelled) != name:
                strange = sorted(set(name) - set(plain(spelled))) or [spelled]
                expected = "plain lower-case words in characters of the model's tokenizer"
                raise UserError(f"the text {name!r}", expected, repr(strange[0]), "spell it otherwise")
        return self._numbers(names)

    def names(self, decided: Tensor) -> list[str]:
        """The texts of decided labels."""
        return ["".join(chr(number) for number in row if number >= 0) for row in decided.tolist()]

    def _written(self, logits: Tensor) -> Tensor:
        """The tokens (examples, longest) that the network writes of what it hears."""
        if self._last is None or self._last[0] is not logits:
            self._last = logits, self.network.written(logits)
        return self._last[1]

    def _numbers(self, texts: Any) -> Tensor:
        rows = [torch.tensor([ord(character) for character in text], dtype=torch.long) for text in texts]
        longest = max(1, *map(len, rows))
        return torch.stack([pad(row, (0, longest - len(row)), value=PADDING) for row in rows]).to(self.device)

    def _spelled(self, text: str) -> list[int]:
        """Tokens as the model writes them: with a space before the first word."""
        return self.network.tokenizer.encode(f" {text}", add_special_tokens=False).ids

    def _tokens(self, labels: Tensor) -> Tensor:
        """The tokens (examples, longest) of labels, the end's too."""
        rows = [torch.tensor([*self._spelled(text), self.network.end]) for text in self.names(labels)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING).to(self.device)

    def _log_probabilities(self, raw: Tensor, tokens: Tensor) -> Tensor:
        """Of each of `tokens` (examples, longest), where only those that can be are probable."""
        allowed = self.network.allowed(raw).log_softmax(-1)
        return allowed.gather(-1, tokens.clamp_min(0)[..., None])[..., 0]


class Whisper(nn.Module):
    """Clips to what the encoder hears in them, and that to the probabilities of tokens.

    `prefix` are the tokens before a text's first, and `suppressed` and `suppressed_first` those that it can't have, at
    all and first. `tokenizer` is of the library tokenizers. `kind` is the victim that it makes.
    """

    takes, kind = ("audio",), SequenceTranscriber

    def __init__(
        self,
        extractor: nn.Module,
        model: nn.Module,
        tokenizer: Any,
        *,
        prefix: list[int],
        suppressed: list[int],
        suppressed_first: list[int],
        beams: int,
    ):
        super().__init__()
        self.front_end, self.model, self.tokenizer = extractor, model, tokenizer
        self.beams, self.suppressed, self.suppressed_first = beams, suppressed, suppressed_first
        self.end, self.longest = model.config.eos_token_id, model.config.max_target_positions
        self.register_buffer("prefix", torch.tensor(prefix), persistent=False)

    def prepare(self, inputs: Inputs) -> Inputs:
        """What is attacked: the clips as they are."""
        return inputs

    def forward(self, inputs: Inputs) -> Tensor:
        """What the encoder hears (clips, positions, size) of `audio` (clips, samples) in [-1, 1)."""
        return self.model.get_encoder()(self.front_end(inputs["audio"] * inside(inputs))).last_hidden_state

    def logits_of(self, heard: Tensor, tokens: Tensor) -> Tensor:
        """The logits (clips, longest, vocabulary) of each of `tokens` (clips, longest), given those before it."""
        before = torch.cat([self.prefix.expand(len(tokens), -1), tokens.clamp_min(0)[:, :-1]], 1)
        return self.model(encoder_outputs=(heard,), decoder_input_ids=before).logits[:, len(self.prefix) - 1 :]

    def allowed(self, logits: Tensor) -> Tensor:
        """Logits (clips, longest, vocabulary) with minus infinity for each token that can't be."""
        logits = logits.index_fill(-1, self._indices(self.suppressed, logits), -torch.inf)
        first = logits[:, :1].index_fill(-1, self._indices(self.suppressed_first, logits), -torch.inf)
        return torch.cat([first, logits[:, 1:]], 1)

    @torch.no_grad()
    def written(self, heard: Tensor) -> Tensor:
        """The tokens (clips, longest) of the most probable texts that a search finds, `PADDING` after the end's.

        The search takes the most probable token at each step, or keeps the `beams` most probable beginnings.
        """
        from transformers import GenerationConfig, GenerationMixin
        from transformers.modeling_outputs import BaseModelOutput

        options = GenerationConfig(
            num_beams=self.beams,
            do_sample=False,
            max_length=self.longest,
            suppress_tokens=self.suppressed or None,
            begin_suppress_tokens=self.suppressed_first or None,
            eos_token_id=self.end,
            pad_token_id=self.end,
        )
        made = GenerationMixin.generate(
            self.model,
            encoder_outputs=BaseModelOutput(heard),
            decoder_input_ids=self.prefix.expand(len(heard), -1),
            generation_config=options,
        )[:, len(self.prefix) :]
        ended = (made == self.end).cumsum(1) - (made == self.end).int()
        return made.masked_fill(ended > 0, PADDING)

    @staticmethod
    def _indices(tokens: list[int], like: Tensor) -> Tensor:
        return torch.tensor(tokens, dtype=torch.long, device=like.device)


def plain(text: str) -> str:
    """A text's words in lower case, of letters, digits and apostrophes, with one space between them."""
    kept = (one if one == "'" or category(one)[0] in "LMN" else " " for one in text.lower().replace("’", "'"))
    return " ".join("".join(kept).split())


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    configuration: dict[str, Any],
    features: dict[str, Any],
    tokenizer: str,
    prefix: list[int],
    suppressed: list[int],
    suppressed_first: list[int],
    beams: Count = 1,
) -> Whisper:
    """The model without its weights, which the method `hugging_face` gives it with all of its parameters but `beams`.

    Args:
        number_of_labels: of no account, as it writes characters that the corpus lacks.
        sample_rate_hz: of the clips.
        configuration: `config.json` of the model's folder.
        features: settings of its feature extractor.
        tokenizer: what `tokenizer.json` holds.
        prefix, suppressed, suppressed_first: tokens, see `Whisper`.
        beams: beginnings that the search for the most probable text keeps.

    Raises:
        UserError: another sampling rate or feature extractor.
    """
    from tokenizers import Tokenizer

    model = without_weights("AutoModelForSpeechSeq2Seq", configuration)
    tokens = {"prefix": prefix, "suppressed": suppressed, "suppressed_first": suppressed_first}
    extractor = front_end(features, sample_rate_hz)
    return Whisper(extractor, model, Tokenizer.from_str(tokenizer), **tokens, beams=beams)
