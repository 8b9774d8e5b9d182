"""A page that draws what is posted, how late it gets here and what is popular, from Postgres and the lake."""
