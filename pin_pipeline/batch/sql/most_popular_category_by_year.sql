with counted as (
  select year(timestamp) as post_year, category, count(*) as category_count
  from pin
  join geo using (ind)
  where category is not null and year(timestamp) between 2018 and 2022
  group by post_year, category
)
select post_year, category, category_count
from counted
qualify category_count = max(category_count) over (partition by post_year)
order by post_year, category
