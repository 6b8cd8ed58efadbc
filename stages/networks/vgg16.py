"""Room of networks: VGG-16 (Simonyan and Zisserman, ICLR 2015) on images of one channel, layer by layer torchvision's.

Other than there the linear layers' first weights too are scaled to their inputs: torchvision's fixed deviation of 0.01
suits 4096 units and would all but silence a narrow network.
"""

from torch import nn

from stages.frame.parameters import Count, Positive, Share
from stages.networks.image_classifier import ImageClassifier, check_stages

CHANNELS = (64, 128, 256, 512, 512)


def build(
    number_of_labels: int,
    *,
    mels: int,
    width: Positive,
    convolutions: list[Count],
    batch_norm: bool,
    hidden_units: Count,
    dropout: Share,
    pooled: Count,
) -> ImageClassifier:
    """The classifier; torchvision's values are given in brackets.

    Args:
        number_of_labels: outputs.
        mels: bins of an image.
        width: scales all channel counts (1).
        convolutions: how many of each stage, a stage halving the image (2, 2, 3, 3, 3).
        batch_norm: after each convolution.
        hidden_units: of the two hidden layers behind the convolutions (4096).
        dropout: of their outputs, while training (0.5).
        pooled: side of the averaged image that they see (7); where stages leave a smaller one its values are repeated.

    Raises:
        UserError: more stages than five, or none.
    """
    check_stages("convolutions of vgg16", convolutions, len(CHANNELS))
    body, channels = [], 1
    for count, after in zip(convolutions, CHANNELS):
        for _ in range(count):
            before, channels = channels, max(1, round(width * after))
            body.append(nn.Conv2d(before, channels, 3, padding=1))
            body += [nn.BatchNorm2d(channels), nn.ReLU()] if batch_norm else [nn.ReLU()]
        body.append(nn.MaxPool2d(2))
    body += [nn.AdaptiveAvgPool2d(pooled), nn.Flatten()]
    for size in (channels * pooled**2, hidden_units):
        body += [nn.Linear(size, hidden_units), nn.ReLU(), nn.Dropout(dropout)]
    classifier = ImageClassifier(nn.Sequential(*body), hidden_units, number_of_labels, mels=mels)
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            mode = "fan_out" if isinstance(layer, nn.Conv2d) else "fan_in"
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return classifier
