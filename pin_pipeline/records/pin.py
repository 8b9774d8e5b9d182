"""A pin: what was posted, by whom, and where the picture lies."""

from pin_pipeline.records.fields import Integer, Magnitude, PrefixedPath, Text
from pin_pipeline.records.kind import RecordKind, published

USER_INFO_ERROR = "User Info Error"

_FIELDS = (
    Integer(name="index", description="Key of the post, shared by its pin, geolocation and user record."),
    Text(name="unique_id", description="UUID of the pin."),
    Text(name="title", description="Title of the pin.", sentinels=("No Title Data Available",)),
    Text(
        name="description",
        description="What the poster says of the pin.",
        sentinels=("No description available", "No description available Story format"),
        required=False,
    ),
    Text(name="poster_name", description="Who posted the pin.", sentinels=(USER_INFO_ERROR,), required=False),
    Magnitude(name="follower_count", description="Followers of the poster.", sentinels=(USER_INFO_ERROR,)),
    Text(
        name="tag_list",
        description="Tags of the pin, joined by commas.",
        sentinels=("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",),
    ),
    Text(name="is_image_or_video", description="Image, video or multi-video story."),
    Text(name="image_src", description="Where the picture was found.", sentinels=("Image src error.",)),
    Integer(name="downloaded", description="1 where the picture was downloaded, 0 where it was not.", maximum=1),
    PrefixedPath(name="save_location", description="Folder the picture was saved in.", prefix="Local save in "),
    Text(name="category", description="Category the pin was found in."),
)

PIN = RecordKind(
    name="pin",
    description="Pins: what was posted, by whom, and where the picture lies.",
    source_table="pinterest_data",
    key="index",
    fields=_FIELDS,
    columns=(
        published(_FIELDS, "ind", "int", source="index"),
        published(_FIELDS, "unique_id", "string"),
        published(_FIELDS, "title", "string"),
        published(_FIELDS, "description", "string"),
        published(_FIELDS, "follower_count", "bigint"),
        published(_FIELDS, "poster_name", "string"),
        published(_FIELDS, "tag_list", "string"),
        published(_FIELDS, "is_image_or_video", "string"),
        published(_FIELDS, "image_src", "string"),
        published(_FIELDS, "save_location", "string"),
        published(_FIELDS, "category", "string"),
    ),
)
