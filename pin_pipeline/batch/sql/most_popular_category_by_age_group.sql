with counted as (
  select age_group(age) as age_group, category, count(*) as category_count
  from pin
  join user using (ind)
  where category is not null
  group by all
)
select age_group, category, category_count
from counted
where age_group is not null
qualify category_count = max(category_count) over (partition by age_group)
order by age_group, category
