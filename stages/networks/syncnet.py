"""Room of networks: SyncNet (Chung and Zisserman, ACCV Workshops 2016), which hears whether it sees what is spoken.

The published architecture, layer for layer; its parameters have the names that the public checkpoint `syncnet_v2.model`
gives them.
"""

import torch
from torch import Tensor, nn

from stages.features.mfcc import Mfcc
from stages.features.video import FRAMES_PER_S, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from stages.frame.errors import UserError

# A window, which one embedding is of, in frames of video and of MFCCs; of these a frame of video has four.
FRAMES, COLUMNS = 5, 20
COLUMNS_PER_FRAME = 4
# From where the samples of a clip's last frame end to where the frame of MFCCs ends that begins last among them.
BEYOND = 240


def build(number_of_labels: int, *, sample_rate_hz: int, frames_per_s: int, crop: int) -> nn.Module:
    """The untrained network.

    Args:
        number_of_labels: of no account, as what it tells apart are clips in and out of time.
        sample_rate_hz, frames_per_s: of the clips.
        crop: of no account, as it sees whole faces.

    Raises:
        UserError: another frame or sampling rate than 25 Hz and 16 kHz.
    """
    check_rates("syncnet", sample_rate_hz, frames_per_s)
    return SyncNet()


def check_rates(network: str, sample_rate_hz: int, frames_per_s: int) -> None:
    """Passes clips whose frames of video are four frames of MFCCs long.

    Raises:
        UserError: they are not.
    """
    if (sample_rate_hz, frames_per_s) != (SAMPLE_RATE_HZ, FRAMES_PER_S):
        expected = f"clips of {FRAMES_PER_S} frames a second and {SAMPLE_RATE_HZ} Hz"
        found = f"{frames_per_s} and {sample_rate_hz}"
        raise UserError(f"network {network}", expected, found, "decode them so")


class SyncNet(nn.Module):
    """Clips to embeddings of their windows, (clips, frames - 4, 1024), of any length; made by `build`.

    Embedding v is of the frames v to v + 4, and of the samples that are heard meanwhile. Where they are in time, those
    of picture and sound are close to each other. `sees` names a clip's array of pictures, `side` is their height.
    """

    sees, side = "faces", 224

    def __init__(self):
        super().__init__()
        self.mfcc = Mfcc()
        self.netcnnaud = nn.Sequential(
            *_layer(nn.Conv2d, 1, 64, 3, padding=1),
            nn.MaxPool2d(1, 1),
            *_layer(nn.Conv2d, 64, 192, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            *_layer(nn.Conv2d, 192, 384, 3, padding=1),
            *_layer(nn.Conv2d, 384, 256, 3, padding=1),
            *_layer(nn.Conv2d, 256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            *_layer(nn.Conv2d, 256, 512, (5, 4)),
        )
        self.netcnnlip = nn.Sequential(
            *_layer(nn.Conv3d, 3, 96, (FRAMES, 7, 7), (1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer(nn.Conv3d, 96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer(nn.Conv3d, 256, 512, (1, 6, 6)),
        )
        self.netfcaud, self.netfclip = (
            nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024)) for _ in range(2)
        )

    def video_embeddings(self, faces: Tensor) -> Tensor:
        """Of faces (clips, frames, 224, 224, 3), blue green red, in 0..255.

        Only the first layer looks at several frames, and it pads no time, so a whole clip gives what its windows would.
        """
        features = self.netcnnlip(faces.permute(0, 4, 1, 2, 3)).flatten(2).transpose(1, 2)
        return self.netfclip(features.flatten(0, 1)).unflatten(0, features.shape[:2])

    def audio_embeddings(self, audio: Tensor) -> Tensor:
        """Of waveforms (clips, 640 frames) in [-1, 1).

        Here every layer pads the window that it sees, so windows are taken one by one. The last one, which the
        published code leaves out, ends in 240 samples of silence after the clip.
        """
        windows = columns(self.mfcc, audio).unfold(2, COLUMNS, COLUMNS_PER_FRAME).transpose(1, 2)
        features = self.netcnnaud(windows.flatten(0, 1)[:, None]).flatten(1)
        return self.netfcaud(features).unflatten(0, windows.shape[:2])


def columns(mfcc: Mfcc, audio: Tensor) -> Tensor:
    """MFCCs (clips, coefficients, 4 frames) of waveforms (clips, 640 frames), whole frames however the clip ends."""
    frames = audio.shape[1] // SAMPLES_PER_FRAME
    audio = nn.functional.pad(audio[:, : frames * SAMPLES_PER_FRAME], (0, BEYOND))
    return mfcc(audio, torch.full((len(audio),), audio.shape[1])).transpose(1, 2)


def _layer(convolution: type[nn.Module], before: int, after: int, *sizes, **more) -> list[nn.Module]:
    norm = {nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}[convolution]
    return [convolution(before, after, *sizes, **more), norm(after), nn.ReLU()]
