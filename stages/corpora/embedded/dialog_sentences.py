"""Built-in corpora: English sentences whose words may please, sadden or anger, or tell nothing of a feeling."""

import numpy as np

# What a slot in braces may hold, "|" between; what it holds may have slots itself.
WORDS = {
    "who": "he|she|they|we|my brother|my sister|my mother|my father|our neighbor|the doctor|the teacher|your friend",
    "thing": "letter|book|car|key|house|paper|bag|coat|phone|ticket|table|box|form|picture|radio|garden|dog|ring",
    "place": "station|office|market|school|beach|airport|kitchen|hotel|library|garage|church|harbor",
    "when": "today|yesterday|again|this morning|last night|last week|on sunday|after lunch|before dinner",
    "did": "came to the {place}|took the {thing}|left the {thing} here|talked about the {thing}|went to the {place}|"
    "looked for the {thing}|called from the {place}|bought a {thing}|waited at the {place}|found the {thing}",
    "glad": "happy|glad|thrilled|proud|lucky|cheerful|delighted|excited",
    "fine": "wonderful|lovely|great|fantastic|beautiful|perfect|amazing|sweet|funny",
    "low": "sad|lonely|sorry|tired|lost|empty|hopeless|heartbroken",
    "dark": "gone|over|broken|dead|gray|cold|silent|useless",
    "cross": "angry|furious|sick|mad|fed up|annoyed",
    "foul": "ridiculous|stupid|unfair|rude|disgusting|insane|outrageous",
    "bad": "bad|terrible|awful|wrong|horrible",
}
SENTENCES = {
    "plain": (
        "{who} {did} {when}",
        "the {thing} is at the {place}",
        "can you bring the {thing} to the {place} {when}",
        "I think {who} {did} {when}",
        "do you know if {who} {did}",
        "there is a {thing} near the {place}",
        "so {who} {did} and then {who} {did}",
        "yes I was at the {place} {when}",
    ),
    "pleasing": (
        "I am so {glad} that {who} {did}",
        "it was {fine} when {who} {did}",
        "what a {fine} {thing} you have",
        "we won and {who} {did} it is {fine}",
        "I love the {thing} it is so {fine}",
        "we are getting married {when} I am so {glad}",
        "thank you the {thing} is {fine}",
    ),
    "saddening": (
        "I am so {low} since {who} {did}",
        "I miss the days when {who} {did}",
        "everything is {dark} and I feel {low}",
        "I cried when {who} {did}",
        "I feel {low} the {thing} is {dark}",
        "now {who} is {dark} and I am {low}",
    ),
    "angering": (
        "I am {cross} that {who} {did}",
        "this is {foul} who {did}",
        "why does nobody say that {who} {did} it is {foul}",
        "stop it I am {cross} of this {thing}",
        "get out and take your {foul} {thing}",
        "how dare you say {who} {did}",
    ),
    "bitter": (
        "it is {bad} that {who} {did}",
        "the {thing} is {bad} it is always {bad}",
        "I hate that {who} {did} {when}",
        "nothing is right and the {thing} is {bad}",
        "I can not believe that {who} {did} {when}",
    ),
}


def sentence(kind: str, rng: np.random.Generator) -> str:
    """A random sentence of a kind in `SENTENCES`, lower case but for I, no punctuation."""
    text = str(rng.choice(SENTENCES[kind]))
    while "{" in text:
        before, _, rest = text.partition("{")
        slot, _, after = rest.partition("}")
        text = before + str(rng.choice(WORDS[slot].split("|"))) + after
    return text
