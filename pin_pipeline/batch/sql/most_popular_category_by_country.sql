with counted as (
  select country, category, count(*) as category_count
  from pin
  join geo using (ind)
  where country is not null and category is not null
  group by country, category
)
select country, category, category_count
from counted
qualify category_count = max(category_count) over (partition by country)
order by country, category
