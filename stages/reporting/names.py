"""Room of reporting: how readers are told the names of columns, models, attacks, treatments and words, of all studies.

Whatever stands nowhere here is shown as it is written: labels of a corpus, entries of one's own.
"""

import re

# Heads of columns that their words alone do not tell.
HEADS = {
    "Adv": "Adv: as attacked",
    "GT": "GT: at the truth",
    "Diff": "Diff: a third class",
    "against": "less that of",
    "auc_all": "AUC, all attacks",
    "auc_noise": "AUC, noise as loud",
    "auc_noise_trained": "AUC, noise-trained",
    "auc_transplant": "AUC, another's perturbation",
    "auc_noise_against_attack": "AUC, noise against attack",
    "auc_transplant_against_attack": "AUC, another's against attack",
    "auc_none": "AUC, noise as loud",
    "aware": "attacker knows",
    "unaware": "attacker does not know",
    "none": "noise as loud",
    "n": "clips",
    "f1_noise_trained": "F1, noise-trained",
    "gain_db_undefined": "gain undefined",
    "lld": "descriptors",
    "lld_deviation": "descriptors, deviation",
    "lld_examples": "examples, descriptors",
    "p_holm": "p after Holm",
    "p_mcnemar": "p, McNemar",
    "p_speakers": "p over speakers",
    "pesq_nb": "PESQ narrow band",
    "pesq_raw": "PESQ raw",
    "pesq_wb": "PESQ wide band",
    "rank_paper": "rank in the paper",
    "rosa_file": "RoSA of the file",
    "snr_db_undefined": "SNR undefined",
    "survives_16_bit": "survives 16 bits, %",
    "ua_clean": "UA before",
    "wer_beam": "WER, beam search",
    "wer_n_gram": "WER, n-gram",
    "z": "z",
}

# Words of columns' names; those at an end that are units follow a comma.
WORDS = {
    "auc": "AUC",
    "bim": "BIM",
    "cnn4": "CNN-4",
    "f1": "F1",
    "fgsm": "FGSM",
    "l2": "L2",
    "linf": "L∞",
    "pesq": "PESQ",
    "pgd": "PGD",
    "resnet50": "ResNet-50",
    "rosa": "RoSA",
    "snr": "SNR",
    "sti": "STI",
    "stoi": "STOI",
    "ua": "UA",
    "uar": "UAR",
    "vgg16": "VGG-16",
    "wer": "WER",
}
UNITS = {"db": "dB", "hz": "Hz", "percent": "%", "s": "s"}

NAMES = {
    # Corpora, by their readers.
    "fsdkaggle2018": "FSDKaggle2018",
    "grid": "GRID",
    "iemocap": "IEMOCAP",
    "italian_emotion": "DEMoS",
    "lrw": "LRW",
    "noisy_speech": "speech in noise",
    # Victims and their networks.
    "bimodal": "recurrent model on speech and text",
    "bimodal-shuffled": "recurrent model on shuffled transcripts",
    "cnn4": "CNN-4",
    "crnn": "CRNN",
    "deepspeech": "DeepSpeech",
    "deepspeech_hardened": "hardened DeepSpeech",
    "dense_mel": "DenseNet on spectrograms",
    "dense_wav": "DenseNet on waveforms",
    "gcnn": "gated CNN",
    "lld": "descriptors",
    "attention": "attention pooling",
    "mean": "mean pooling",
    "mean_max": "mean and maximum pooling",
    "mlp": "MLP",
    "resnet50": "ResNet-50",
    "sentence_reader": "sentence reader",
    "vgg13": "VGG-13",
    "vgg16": "VGG-16",
    "wav2vec_heads": "wav2vec heads",
    "word_reader": "word reader",
    # Features with their heads, of which tests compare two.
    "lld attention": "attention pooling of descriptors",
    "lld mean": "mean pooling of descriptors",
    "lld mean_max": "mean and maximum pooling of descriptors",
    "lld mlp": "MLP on descriptors",
    "wav2vec attention": "attention pooling of wav2vec",
    "wav2vec bimodal": "speech and text",
    "wav2vec bimodal-shuffled": "shuffled transcripts",
    "wav2vec mean": "mean pooling of wav2vec",
    "wav2vec mean_max": "mean and maximum pooling of wav2vec",
    "wav2vec mlp": "MLP on wav2vec",
    "wav2vec speech": "speech alone",
    "wav2vec text": "text alone",
    # Attacks.
    "basic_iterative": "BIM",
    "bim": "BIM",
    "carlini_wagner": "Carlini and Wagner",
    "cw-targeted": "targeted C&W",
    "cw-untargeted": "untargeted C&W",
    "deepfool": "DeepFool",
    "edit_distance": "edit distance",
    "evolutionary_hardened": "hardened evolutionary",
    "evolutionary_smallest": "smallest evolutionary",
    "evolutionary_through": "evolutionary through rooms",
    "fgsm": "FGSM",
    "gradient_hardened": "hardened gradient",
    "in_band": "in band",
    "lbfgs": "L-BFGS",
    "over_the_air": "over the air",
    "pgd": "PGD",
    # Treatments, enhancers and training against attacks.
    "any_of_ten": "one of ten by chance",
    "as_it_is": "as it is",
    "dnn": "DNN",
    "dnn_hardened": "hardened DNN",
    "live_reverb": "live reverb",
    "mp3_24k": "MP3 at 24 kbit/s",
    "mp3_48k": "MP3 at 48 kbit/s",
    "mp3_128k": "MP3 at 128 kbit/s",
    "mp3_320k": "MP3 at 320 kbit/s",
    "noise_20dB": "noise at 20 dB",
    "noise_40dB": "noise at 40 dB",
    "noise_60dB": "noise at 60 dB",
    "noise_at_20dB": "noise at 20 dB",
    "resample_8kHz": "resampled to 8 kHz",
    "resample_16kHz": "resampled to 16 kHz",
    "resample_20kHz": "resampled to 20 kHz",
    "reverb_then_noise": "reverb then noise",
    "u_net_attention": "U-Net with attention",
    "u_net_attention_hardened": "hardened U-Net with attention",
    "wave_u_net": "Wave-U-Net",
    "wave_u_net_hardened": "hardened Wave-U-Net",
    # Detectors.
    "distribution_hardened": "hardened distribution",
    "frame_difference": "frame difference",
    "half_hardened": "hardened half",
    "quietest_moment": "quietest moment",
    "sync_clean": "lip sync",
    "sync_noise": "noise-trained lip sync",
    # Clips to hear, and their versions.
    "adversarial_image_as_sound": "adversarial image as sound",
    "aware_defended": "aware, as heard behind the defence",
    "aware_difference": "aware, difference",
    "clean_image_as_sound": "clean image as sound",
    "crnn-lbfgs": "L-BFGS on CRNN",
    "dense_wav-cw-targeted": "C&W on DenseNet of waveforms",
    "events.vgg13.live_reverb": "VGG-13 behind live reverb",
    "events.vgg13.mp3_48k": "VGG-13 behind MP3",
    "events.vgg13.noise_20dB": "VGG-13 behind noise",
    "gcnn-cw-untargeted": "C&W on gated CNN",
    "played": "played in a room",
    "played_dnn_hardened": "played, then hardened DNN",
    "played_u_net_attention_hardened": "played, then hardened U-Net with attention",
    "played_wave_u_net_hardened": "played, then hardened Wave-U-Net",
    "transfer.wav2vec_heads.mp3_24k": "wav2vec heads behind MP3",
    "unaware_defended": "unaware, as heard behind the defence",
    "unaware_difference": "unaware, difference",
    "vgg13-deepfool": "DeepFool on VGG-13",
    # Studies, splits and units.
    "audiovisual": "lip reading",
    "detected_hardened": "detected on the hardened",
    "dev": "validation",
    "snr_db": "SNR in dB",
    "treated_hardened": "treated on the hardened",
}


def head(column: str) -> str:
    """What stands above a column of this name: its words, and the unit that it ends in, after a comma or a number."""
    if column in HEADS:
        return HEADS[column]
    *words, last = column.split("_")
    told = " ".join(WORDS.get(word, word) for word in (words if last in UNITS and words else [*words, last]))
    if last not in UNITS or not words:
        return told
    return f"{told} {UNITS[last]}" if words[-1].isdigit() else f"{told}, {UNITS[last]}"


def name(key: str) -> str:
    """The name, as readers are told it, of a model, an attack, a treatment or another entry; others as they are."""
    return NAMES.get(key, key)


def spelt(text: str) -> str:
    """A sentence with names for the entries in it, and other words as they are: "mean" is none, "mean_max" is one."""
    return re.sub(r"\w+(?:-\w+)*", lambda found: name(found[0]) if _is_entry(found[0]) else found[0], text)


def _is_entry(word: str) -> bool:
    """Whether a word is no word of a sentence: joined words, or one that its name spells otherwise alone."""
    return "_" in word or "-" in word or re.sub(r"\W", "", name(word)).lower() == word
