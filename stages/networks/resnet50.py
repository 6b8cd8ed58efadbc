"""Room of networks: ResNet-50 (He et al., CVPR 2016) on images of one channel, made of torchvision's blocks."""

from torch import nn
from torchvision.models.resnet import Bottleneck, conv1x1

from stages.frame.parameters import Count, Positive
from stages.networks.image_classifier import ImageClassifier, check_stages

PLANES = (64, 128, 256, 512)


def build(number_of_labels: int, *, mels: int, width: Positive, blocks: list[Count]) -> ImageClassifier:
    """The classifier; `width` scales all channel counts, `blocks` counts the blocks of each stage, 50 layers being
    width 1 and blocks 3, 4, 6, 3.

    Raises:
        UserError: more stages than four, or none.
    """
    check_stages("blocks of resnet50", blocks, len(PLANES))
    channels = max(1, round(width * PLANES[0]))
    body = [nn.Conv2d(1, channels, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    body.append(nn.MaxPool2d(3, stride=2, padding=1))
    for stage, (count, planes) in enumerate(zip(blocks, PLANES)):
        planes = max(1, round(width * planes))
        body.append(_stage(channels, planes, count, stride=1 if stage == 0 else 2))
        channels = planes * Bottleneck.expansion
    for layer in nn.Sequential(*body).modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    body += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return ImageClassifier(nn.Sequential(*body), channels, number_of_labels, mels=mels)


def _stage(before: int, planes: int, count: int, stride: int) -> nn.Module:
    """`count` blocks from `before` channels to four times `planes`, the first of which takes the stride."""
    after = planes * Bottleneck.expansion
    shortcut = nn.Sequential(conv1x1(before, after, stride), nn.BatchNorm2d(after))
    return nn.Sequential(
        Bottleneck(before, planes, stride, shortcut), *(Bottleneck(after, planes) for _ in range(count - 1))
    )
