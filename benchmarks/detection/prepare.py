"""The series to score, as files that the C++ program reads: one value and one label a row, and where training ends."""

import csv
import io
import json
import zipfile
from pathlib import Path

# The series of the Numenta benchmark by family. Those of the first were in view when the rule for window lengths was set.
NAB = {
    "nab": (
        "artificialWithAnomaly/art_daily_flatmiddle",
        "artificialWithAnomaly/art_daily_jumpsdown",
        "artificialWithAnomaly/art_daily_jumpsup",
        "realKnownCause/ambient_temperature_system_failure",
        "realKnownCause/cpu_utilization_asg_misconfiguration",
        "realKnownCause/machine_temperature_system_failure",
        "realKnownCause/nyc_taxi",
    ),
    "aws": (
        "realAWSCloudwatch/ec2_cpu_utilization_24ae8d",
        "realAWSCloudwatch/ec2_cpu_utilization_53ea38",
        "realAWSCloudwatch/ec2_cpu_utilization_5f5533",
        "realAWSCloudwatch/ec2_cpu_utilization_77c1ca",
        "realAWSCloudwatch/ec2_cpu_utilization_825cc2",
        "realAWSCloudwatch/ec2_cpu_utilization_ac20cd",
        "realAWSCloudwatch/ec2_cpu_utilization_fe7f93",
        "realAWSCloudwatch/ec2_disk_write_bytes_1ef3de",
        "realAWSCloudwatch/ec2_disk_write_bytes_c0d644",
        "realAWSCloudwatch/ec2_network_in_257a54",
        "realAWSCloudwatch/ec2_network_in_5abac7",
        "realAWSCloudwatch/elb_request_count_8c0756",
        "realAWSCloudwatch/grok_asg_anomaly",
        "realAWSCloudwatch/iio_us-east-1_i-a2eb1cd9_NetworkIn",
        "realAWSCloudwatch/rds_cpu_utilization_cc0c53",
        "realAWSCloudwatch/rds_cpu_utilization_e47b3b",
    ),
    "traffic": (
        "realTraffic/TravelTime_387",
        "realTraffic/TravelTime_451",
        "realTraffic/occupancy_6005",
        "realTraffic/occupancy_t4013",
        "realTraffic/speed_6005",
        "realTraffic/speed_7578",
        "realTraffic/speed_t4013",
    ),
    "advertising": (
        "realAdExchange/exchange-2_cpc_results",
        "realAdExchange/exchange-2_cpm_results",
        "realAdExchange/exchange-3_cpc_results",
        "realAdExchange/exchange-3_cpm_results",
        "realAdExchange/exchange-4_cpc_results",
        "realAdExchange/exchange-4_cpm_results",
    ),
    # No label: they must finish, show how often a detector cries wolf, and have no part in a mean.
    "without anomaly": (
        "artificialNoAnomaly/art_daily_no_noise",
        "artificialNoAnomaly/art_daily_perfect_square_wave",
        "artificialNoAnomaly/art_daily_small_noise",
        "artificialNoAnomaly/art_flatline",
        "artificialNoAnomaly/art_noisy",
        "realAWSCloudwatch/ec2_cpu_utilization_c6585a",
    ),
}
TSB_AD = "001_NAB_id_1_Facility_tr_1007_1st_2014"
ECG805 = "MBA_ECG805_data"
INTERNAL_BLEEDING = "aeon/datasets/data/KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16"

BLEEDING = "135_UCR_InternalBleeding16"
NAMES = {family: tuple(name.split("/")[1] for name in names) for family, names in NAB.items()}
ALL = (*(name for names in NAMES.values() for name in names), TSB_AD, ECG805, BLEEDING)


def training_rows(labels):
    """A quarter of the rows, but none from the first labelled one on."""
    first = labels.index(1) if 1 in labels else len(labels)
    return min(len(labels) // 4, first)


def nab(directory):
    """Family, name, values, labels of each series; a label is 1 within a window of the benchmark, its ends included."""
    windows = json.loads((directory / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    for family, name in ((family, name) for family, names in NAB.items() for name in names):
        path = directory / f"{name}.csv"
        if not path.exists():
            print(f"not there, left out: {path}")
            continue
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        # Both are ISO 8601, of which the order of texts is the order of times.
        spans = [(start[:19], end[:19]) for start, end in windows.get(f"{name}.csv", [])]
        labels = [int(any(a <= row["timestamp"][:19] <= b for a, b in spans)) for row in rows]
        yield family, path.stem, [row["value"] for row in rows], labels


def two_columns(text, header):
    """Values and labels of lines `value,label`."""
    rows = [line.split(",") for line in text.splitlines() if line.strip()][int(header) :]
    return [row[0] for row in rows], [int(float(row[1])) for row in rows]


def aeon_series(wheel):
    """Values and labels of InternalBleeding16, TRAIN followed by TEST, and the rows of TRAIN."""
    values, labels, train_rows = [], [], 0
    with zipfile.ZipFile(wheel) as archive:
        for part in ("TRAIN", "TEST"):
            with archive.open(f"{INTERNAL_BLEEDING}_{part}.csv") as file:
                rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
            value, label = [name for name in rows[0] if name not in ("index", "timestamp", "")]
            values += [row[value] for row in rows]
            labels += [int(float(row[label])) for row in rows]
            if part == "TRAIN":
                train_rows = len(rows)
    return values, labels, train_rows


def found(data, wheel):
    """(name, group, values, labels, training rows) of every series that is there; says which is not."""
    if data and (data / "nab" / "labels").is_dir():
        for family, name, values, labels in nab(data / "nab"):
            yield name, family, values, labels, training_rows(labels)
    else:
        print("not there, left out: nab/ of REPRISE_DATA_DIR")
    for folder, name, group, ending in (("tsb_ad", TSB_AD, "001", "csv"), ("tsb_uad_ecg", ECG805, "mba", "out")):
        path = data / folder / f"{name}.{ending}" if data else None
        if path and path.exists():
            values, labels = two_columns(path.read_text(encoding="utf-8"), header=ending == "csv")
            yield name, group, values, labels, training_rows(labels)
        else:
            print(f"not there, left out: {folder}/{name}.{ending} of REPRISE_DATA_DIR")
    if wheel:
        values, labels, train_rows = aeon_series(wheel)
        yield BLEEDING, "ucr135", values, labels, train_rows
    else:
        print("not there, left out: InternalBleeding16 (the wheel of aeon)")


def prepare(data, wheel, target):
    """Writes TARGET/<series>.csv and TARGET/series.json; returns what is in the latter.

    data is the directory of REPRISE_DATA_DIR, wheel the file of aeon's wheel; either may be None.
    """
    target.mkdir(parents=True, exist_ok=True)
    series = []
    for name, group, values, labels, train_rows in found(data, wheel):
        text = "value,label\n" + "".join(f"{v},{y}\n" for v, y in zip(values, labels))
        (target / f"{name}.csv").write_text(text, encoding="utf-8")
        series.append({"name": name, "group": group, "rows": len(values), "train_rows": train_rows})
    (target / "series.json").write_text(json.dumps(series, indent=1) + "\n", encoding="utf-8")
    return series


def read(path):
    """Values (floats) and labels (0 or 1) of a file that `prepare` wrote."""
    with open(Path(path), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [float(row["value"]) for row in rows], [int(row["label"]) for row in rows]
