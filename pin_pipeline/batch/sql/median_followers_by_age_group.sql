select age_group(age) as age_group, median(follower_count) as median_follower_count
from pin
join user using (ind)
where follower_count is not null and age_group(age) is not null
group by all
order by age_group
