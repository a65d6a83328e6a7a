"""Small data sets on disk, each in exactly the layout in which it is handed out; and the films in them.

Frame n of every film is one grey, `level(n)`, and `numbers(video)` reads n back from any frame at any size.
"""

import csv
import json
import struct
from fractions import Fraction

import av
import numpy as np
from PIL import Image

STEP = 8


def level(n):
    return 10 + STEP * (n % 31)


def numbers(video):
    """The frame numbers in a video (..., t, 3, h, w) in [0, 1]."""
    return np.rint((np.asarray(video).mean((-3, -2, -1)) * 255 - 10) / STEP).astype(int).tolist()


def film(path, frames=30, fps=25, size=(24, 32)):
    """A video file: H.264 in .mp4, MPEG-4 in .avi."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = "libx264" if path.suffix == ".mp4" else "mpeg4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "8", "preset": "ultrafast"} if codec == "libx264" else {}
        stream.codec_context.gop_size = 5 if codec == "libx264" else 1
        container.start_encoding()
        for n in range(frames):
            image = np.full((*size, 3), level(n), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def sound(path):
    """A file with sound and no picture."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cut_short(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def picture(path, n, size=(24, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), level(n), np.uint8)).save(path)


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def table(path, header, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def ucf_101(root):
    text(root / "ucfTrainTestlist/classInd.txt", "1 ApplyEyeMakeup", "2 Biking", "3 HandstandPushups")
    train = ["ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "Biking/v_Biking_g08_c02.avi",
             "HandstandPushups/v_HandStandPushups_g09_c01.avi"]  # fmt: skip
    test = ["ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", "Biking/v_Biking_g01_c04.avi"]
    for name in train + test:
        film(root / "UCF-101" / name, size=(24, 32))
    labels = {"ApplyEyeMakeup": 1, "Biking": 2, "HandstandPushups": 3}
    for k, (a, b) in {"01": (train, test), "02": (test, train), "03": (train[:1] + test, train[1:])}.items():
        text(root / f"ucfTrainTestlist/trainlist{k}.txt", *(f"{n} {labels[n.split('/')[0]]}" for n in a))
        text(root / f"ucfTrainTestlist/testlist{k}.txt", *b)


KTH_LINES = (
    "This database contains sequences of six classes of actions performed by",
    "Training:   person11, 12",
    "Validation: person19, 01",
    "Test:       person22, 02 ",
    "",
    "person01_boxing_d1\t\tframes\t1-10, 13-30",
    "person02_walking_d3     frames  1-12, 5-20, 21-60",
    "person13_handclapping_d3    *missing*",
    "person22_running_d4     frames  11-30",
)


def kth(root):
    text(root / "00sequences.txt", *KTH_LINES)
    film(root / "boxing/person01_boxing_d1_uncomp.avi", 30)
    film(root / "walking/person02_walking_d3_uncomp.avi", 30)
    film(root / "running/person22_running_d4_uncomp.avi", 30)


def sky_timelapse(root):
    for split, video in (("sky_train", "AbC_1-x"), ("sky_test", "ZZ")):
        for clip, numbers_ in (("1", range(5, 17)), ("2", [1, 2, 9, 10, 11, 100])):
            for n, number in enumerate(numbers_):
                picture(root / split / video / clip / f"{video}_frames_{number}.jpg", n)
    text(root / "readme", "the sky")


TAICHI = ("video_id", "start", "end", "bbox", "fps", "width", "height", "partition")


def taichi_hd(root):
    rows = [
        ("A-b_c", 100, 120, "0-0-24-24", 29.97, 24, 24, "train"),
        ("A-b_c", 200, 212, "0-0-24-24", 50, 24, 24, "train"),
        ("gone", 0, 128, "0-0-9-9", 25, 24, 24, "train"),
        ("T", 0, 15, "0-0-9-9", 25, 24, 24, "test"),
    ]
    table(root / "taichi-metadata.csv", TAICHI, *rows)
    film(root / "train/A-b_c#000100#000120.mp4", 20, fps=10)
    for n in range(12):
        picture(root / "train/A-b_c#000200#000212.mp4" / f"{n:07d}.png", n)
    film(root / "test/T#000000#000015.mp4", 15, fps=10)


K600 = ("label", "youtube_id", "time_start", "time_end", "split")


def kinetics_600(root):
    for split, action, id_ in (
        ("train", "juggling fire", "-abc_123XYZ"), ("train", "abseiling", "_0000000000"),
        ("val", "zumba", "vvvvvvvvvvv"), ("test", "zumba", "ttttttttttt"),
    ):  # fmt: skip
        film(root / split / action / f"{id_}_000004_000014.mp4", 24, fps=24)
    rows = [("juggling fire", "-abc_123XYZ", 4, 14, "train"), ("zumba", "rotten", 0, 10, "train")]
    table(root / "annotations/train.csv", K600, *rows)


def webvid_10m(root):
    rows = [
        (1, "000001_000050", "Sky, at dusk", "http", "PT1S"), (2, "000001_000050", "", "", ""),
        (3, "000051_000100", "Ein Bär", "", ""), (77, "000051_000100", "not on disk", "", ""),
    ]  # fmt: skip
    for split, part in (("train", rows), ("val", rows[:1])):
        table(
            root / f"metadata/results_10M_{split}.csv", ("videoid", "page_dir", "name", "contentUrl", "duration"), *part
        )
    for id_, page, *_ in rows[:3]:
        film(root / "videos" / page / f"{id_}.mp4", 30, fps=30)


def msr_vtt(root, frozen_in_time=False):
    videos = [("video0", "train", 9), ("video1", "validate", 3), ("video7010", "test", 0), ("video7011", "test", 19)]
    said = [(id_, f"{word} of {id_}") for id_, _, _ in videos for word in ("a film", "a clip")]
    for id_, _, _ in videos[:3]:
        film(root / f"videos/all/{id_}.mp4", 30, fps=30)
    if frozen_in_time:
        text(
            root / "annotation/MSR_VTT.json",
            json.dumps({"annotations": [{"image_id": v, "caption": c} for v, c in said]}),
        )
        for split in ("train", "val", "test"):
            ids = [id_ for id_, name, _ in videos if name.startswith(split)]
            text(root / f"high-quality/structured-symlinks/{split}_list_full.txt", *ids)
        return
    for name, part in (("train_val", videos[:2]), ("test", videos[2:])):
        held = {v for v, _, _ in part}
        data = {
            "info": {},
            "videos": [{"id": n, "video_id": v, "category": c, "start time": 1.5, "end time": 9.0, "split": s}
                       for n, (v, s, c) in enumerate(part)],
            "sentences": [{"sen_id": n, "video_id": v, "caption": c} for n, (v, c) in enumerate(said) if v in held],
        }  # fmt: skip
        text(root / f"annotation/{name}_videodatainfo.json", json.dumps(data))


def record(features):
    """One TFRecord: length, its masked CRC-32C, the message, its masked CRC-32C."""
    from crc32c import crc32c
    from tfrecord.example_pb2 import Example

    example = Example()
    for key, value in features.items():
        if isinstance(value, bytes):
            example.features.feature[key].bytes_list.value.append(value)
        else:
            example.features.feature[key].float_list.value.extend(value)
    data = example.SerializeToString()

    def masked(part):
        crc = crc32c(part)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def trajectory(steps=30, offset=0, side=64):
    features = {}
    for t in range(steps):
        for camera, shade in (("image_aux1", level(t + offset)), ("image_main", 3)):
            features[f"{t}/{camera}/encoded"] = bytes([shade]) * (side * side * 3)
        features[f"{t}/action"] = [t + offset, 0.5, -1.0, 2.0]
        features[f"{t}/endeffector_pos"] = [0.0, t / 10, 1.0]
    return features


def bair_robot_pushing(root):
    for split, files in (("train", ((0, 1), (2,))), ("test", ((3,),))):
        for n, offsets in enumerate(files):
            path = root / f"softmotion30_44k/{split}/traj_{256 * n}_to_{256 * n + 255}.tfrecords"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(record(trajectory(offset=offset)) for offset in offsets))
