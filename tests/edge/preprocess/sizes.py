"""Sizes that the rule must hold for: odd, tiny, huge, extreme in aspect, at and below the crop."""

SIZES = (  # width, height, resize, crop
    (1, 1, 256, 224),
    (2, 3, 256, 224),
    (3, 2, 256, 224),
    (7, 5, 256, 224),
    (101, 99, 256, 224),
    (223, 225, 256, 224),
    (224, 224, 256, 224),
    (255, 257, 256, 224),
    (256, 256, 256, 224),
    (256, 301, 256, 224),  # the shorter side is right already: only a crop
    (301, 256, 256, 224),
    (225, 224, 224, 224),
    (449, 601, 224, 224),  # nothing of the shorter side is cut off
    (640, 480, 256, 224),
    (641, 479, 256, 224),
    (479, 641, 255, 224),  # an odd rest of the crop, rounded half to even
    (640, 480, 257, 224),
    (640, 480, 331, 299),
    (1280, 720, 256, 224),
    (1921, 1079, 256, 224),
    (3000, 2001, 256, 224),
    (640, 480, 100, 224),  # resized below the crop: zeros around
    (480, 640, 100, 225),
    (640, 480, 180, 225),  # only one edge is below the crop
    (90, 61, 33, 64),
    (2, 300, 256, 224),  # extreme aspects
    (300, 2, 256, 224),
    (1, 150, 200, 224),
    (150, 1, 200, 224),
    (31, 4999, 64, 56),
    (6001, 40, 64, 56),
    (5003, 301, 256, 224),
    (300, 9001, 299, 299),
    (12, 7, 800, 768),  # enlarging a lot
    (640, 480, 1, 1),
    (640, 480, 2, 3),
)
