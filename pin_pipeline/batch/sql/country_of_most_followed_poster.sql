with countries as (
  select country, max(follower_count) as follower_count
  from pin
  join geo using (ind)
  where country is not null
  group by country
)
select country, follower_count
from countries
qualify follower_count = max(follower_count) over ()
order by country
