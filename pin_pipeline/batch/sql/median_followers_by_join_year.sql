select year(date_joined) as join_year, median(follower_count) as median_follower_count
from pin
join user using (ind)
where follower_count is not null and year(date_joined) between 2015 and 2020
group by join_year
order by join_year
