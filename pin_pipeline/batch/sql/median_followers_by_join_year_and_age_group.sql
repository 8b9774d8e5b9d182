select
  year(date_joined) as join_year,
  age_group(age) as age_group,
  median(follower_count) as median_follower_count
from pin
join user using (ind)
where follower_count is not null and year(date_joined) between 2015 and 2020 and age_group(age) is not null
group by all
order by join_year, age_group
