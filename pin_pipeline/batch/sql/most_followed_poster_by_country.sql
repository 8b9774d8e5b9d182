with posters as (
  select distinct country, poster_name, follower_count
  from pin
  join geo using (ind)
  where country is not null and follower_count is not null
)
select country, poster_name, follower_count
from posters
qualify follower_count = max(follower_count) over (partition by country)
order by country, poster_name
