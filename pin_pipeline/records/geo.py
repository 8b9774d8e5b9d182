"""Definition of geolocation records: where and when a pin was posted."""

from pin_pipeline.records.fields import Integer, Number, Text, Timestamp
from pin_pipeline.records.record_type import Column, Combine, Expectation, RecordType, published_column

_FIELDS = (
    Integer(name="ind", description="Key of the post, shared by its pin, geolocation and user record."),
    Timestamp(name="timestamp", description="Time at which the pin was posted."),
    Number(name="latitude", description="Latitude in degrees.", minimum=-90, maximum=90, personal=True),
    Number(name="longitude", description="Longitude in degrees.", minimum=-180, maximum=180, personal=True),
    Text(name="country", description="Country from which the pin was posted."),
)

GEO = RecordType(
    name="geo",
    description="Geolocations: where and when each pin was posted.",
    source_table="geolocation_data",
    key="ind",
    fields=_FIELDS,
    columns=(
        published_column(_FIELDS, "ind", "int"),
        published_column(_FIELDS, "country", "string"),
        Column(
            name="coordinates",
            type="array<double>",
            description="Latitude and longitude in degrees.",
            fields=("latitude", "longitude"),
            combine=Combine.ARRAY,
            personal=True,
        ),
        published_column(_FIELDS, "timestamp", "timestamp"),
    ),
    expectations=(
        Expectation(
            name="coordinates_in_range",
            description="Latitude is within ±90 degrees, and longitude within ±180 degrees.",
            sql="abs(coordinates[1]) <= 90 and abs(coordinates[2]) <= 180",
            sample_columns=("country",),
        ),
        Expectation(
            name="posted_in_range",
            description="The pin was posted after Pinterest launched in March 2010, and not in the future.",
            sql="timestamp between '2010-03-01T00:00:00Z' and now()",
            sample_columns=("timestamp",),
        ),
    ),
)
