"""A user: who posted a pin."""

from pin_pipeline.records.fields import Integer, Text, Timestamp
from pin_pipeline.records.kind import Column, Combine, RecordKind, published

_FIELDS = (
    Integer(name="ind", description="Key of the post, shared by its pin, geolocation and user record."),
    Text(name="first_name", description="First name of the user."),
    Text(name="last_name", description="Last name of the user."),
    Integer(name="age", description="Age of the user in years.", maximum=150),
    Timestamp(name="date_joined", description="When the user joined."),
)

USER = RecordKind(
    name="user",
    description="Users: who posted each pin.",
    source_table="user_data",
    key="ind",
    fields=_FIELDS,
    columns=(
        published(_FIELDS, "ind", "int"),
        Column(
            name="user_name",
            type="string",
            description="First name, space, last name.",
            fields=("first_name", "last_name"),
            combine=Combine.WORDS,
        ),
        published(_FIELDS, "age", "int"),
        published(_FIELDS, "date_joined", "timestamp"),
    ),
)
