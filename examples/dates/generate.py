"""Human-written dates and what they mean.

Every text is at most 30 characters of what people type: many orders, separators, full and abbreviated
names of days and months, ordinals, two- and four-digit years, stray commas, capitals and blanks. What
the numbers mean:

    with dots       the day comes first                       26.07.70    -> 1970-07-26
    with slashes    the month, unless it exceeds 12           7/26/70, 26/7/70 -> 1970-07-26
    with dashes     the year if it has four digits (ISO), else the day, unless the second number exceeds 12
    with blanks     as with dashes
    two-digit years 70-99 are 19xx, 00-69 are 20xx

    python generate.py pairs.tsv --count 10000 --seed 2        writes TEXT<tab>YYYY-MM-DD lines
"""

import argparse
import calendar
import datetime
import random

MAX_LENGTH = 30
MONTHS = [name.lower() for name in calendar.month_name]
DAYS = [name.lower() for name in calendar.day_name]
DAY_SHORT = [["mon"], ["tue", "tues"], ["wed", "weds"], ["thu", "thur", "thurs"], ["fri"], ["sat"], ["sun"]]


def random_date(rng, two_digits):
    """A valid date; within 1970-2069 where the year will be written with two digits."""
    kind = rng.random()
    if two_digits or kind < 0.6:
        year = rng.randint(1970, 2069)
    elif kind < 0.9:
        year = rng.randint(1900, 2099)
    else:
        year = rng.randint(1000, 2999)
    month = rng.randint(1, 12)
    return datetime.date(year, month, rng.randint(1, calendar.monthrange(year, month)[1]))


def ordinal(day):
    suffix = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def padded(rng, number):
    return f"{number:02d}" if rng.random() < 0.5 else str(number)


def year_text(rng, date, two_digits, named):
    if not two_digits:
        return f"{date.year:04d}"
    return ("'" if named and rng.random() < 0.15 else "") + f"{date.year % 100:02d}"


def numeric(rng, date, two_digits):
    """Three numbers between dots, slashes, dashes or blanks, or the eight digits of ISO's basic form."""
    year = year_text(rng, date, two_digits, False)
    pad = rng.random() < 0.5
    day, month = (f"{date.day:02d}", f"{date.month:02d}") if pad else (str(date.day), str(date.month))
    if rng.random() < 0.1:
        day, month = padded(rng, date.day), padded(rng, date.month)
    separator = rng.choices("./- ", [30, 40, 25, 5])[0]
    if not two_digits and rng.random() < {".": 0.15, "/": 0.2, "-": 0.7, " ": 0.4}[separator]:
        if rng.random() < 0.08:
            return f"{date.year:04d}{date.month:02d}{date.day:02d}"
        return separator.join([year, month, day])
    month_first = separator == "/" or separator in "- " and date.day > 12 and rng.random() < 0.3
    if separator == "/" and date.day > 12 and rng.random() < 0.5:
        month_first = False
    if separator != " " and rng.random() < 0.06:
        separator = rng.choice([separator + " ", " " + separator + " "])
    return separator.join([month, day, year] if month_first else [day, month, year])


def month_text(rng, month):
    name = MONTHS[month]
    if rng.random() < 0.5:
        return name
    if month == 9 and rng.random() < 0.4:
        name = "sept"
    return name[:4] if name.startswith("sept") and len(name) == 4 else name[:3]


def named(rng, date, two_digits):
    """The month by its name; day first, month first or year first."""
    year = year_text(rng, date, two_digits, True)
    month = month_text(rng, date.month)
    dotted = "." if len(month) <= 4 and MONTHS[date.month] != month and rng.random() < 0.15 else ""
    kind = rng.random()
    if kind < 0.10:  # 3-may-1979, 3/may/79, 3.may.1979, 3may1979
        separator = rng.choices(["-", "/", ".", ""], [50, 15, 15, 20])[0]
        order = rng.random()
        day = padded(rng, date.day)
        if order < 0.75:
            return separator.join([day, month, year])
        if order < 0.9 and separator:
            return separator.join([month, day, year])
        return separator.join([f"{date.year:04d}", month, day])
    day = ordinal(date.day) if rng.random() < 0.35 else padded(rng, date.day)
    is_ordinal = day[-1].isalpha()
    if kind < 0.55:
        if not is_ordinal and rng.random() < 0.08:
            day += "."
        the = "the " if is_ordinal and rng.random() < 0.15 else ""
        of = " of" if rng.random() < (0.35 if is_ordinal else 0.05) else ""
        comma = rng.choices(["", ",", ", of"], [75, 24, 1])[0]
        return f"{the}{day}{of} {month}{dotted}{comma} {year}"
    if kind < 0.95:
        the = "the " if is_ordinal and rng.random() < 0.12 else ""
        comma = "," if rng.random() < 0.5 else ""
        blank = "" if comma and not two_digits and rng.random() < 0.08 else " "
        return f"{month}{dotted} {the}{day}{comma}{blank}{year}"
    comma = "," if rng.random() < 0.3 else ""
    if is_ordinal or rng.random() < 0.3:
        return f"{date.year:04d}{comma} {day} {month}{dotted}"
    return f"{date.year:04d}{comma} {month}{dotted} {day}"


def weekday_text(rng, date):
    """The day's name; rarely a wrong one, which must not matter."""
    day = date.weekday() if rng.random() < 0.9 else rng.randrange(7)
    if rng.random() < 0.5:
        return DAYS[day]
    return rng.choice(DAY_SHORT[day]) + ("." if rng.random() < 0.1 else "")


def capitals(rng, text):
    kind = rng.random()
    if kind < 0.4:
        return text
    if kind < 0.8:
        return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))
    if kind < 0.95:
        return text.upper()
    return "".join(c.upper() if rng.random() < 0.3 else c for c in text)


def untidy(rng, text):
    """Stray commas, doubled blanks, blanks and full stops around: each rare."""
    if rng.random() < 0.06:
        at = rng.choice([i for i in range(len(text) + 1) if i == len(text) or text[i] == " "])
        text = text[:at] + "," + text[at:]
    if rng.random() < 0.02 and " " in text:
        at = rng.choice([i for i, c in enumerate(text) if c == " "])
        text = text[:at] + " " + text[at:]
    kind = rng.random()
    if kind < 0.008:
        return " " + text
    if kind < 0.016:
        return text + " "
    return text + "." if kind < 0.024 else text


def pair(rng):
    """One text and its date."""
    while True:
        two_digits = rng.random() < 0.3
        date = random_date(rng, two_digits)
        if rng.random() < 0.4:
            text = numeric(rng, date, two_digits)
            day_name = rng.random() < 0.08
        else:
            text = named(rng, date, two_digits)
            day_name = rng.random() < 0.4
        if day_name:
            name = weekday_text(rng, date)
            if rng.random() < 0.93:
                text = (
                    name
                    + rng.choices([" ", ", ", " the "], [60, 38, 2 if text[0].isdigit() else 0])[0]
                    + text
                )
            else:
                text = text + rng.choice([" ", ", "]) + name
        text = untidy(rng, capitals(rng, text))
        if len(text) <= MAX_LENGTH:
            return text, date.isoformat()


def pairs(count, seed):
    rng = random.Random(seed)
    return [pair(rng) for _ in range(count)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=2, help="the model was trained with seed 1 (default: 2)")
    arguments = parser.parse_args()
    with open(arguments.output, "w", encoding="utf-8") as file:
        for text, date in pairs(arguments.count, arguments.seed):
            file.write(f"{text}\t{date}\n")


if __name__ == "__main__":
    main()
