select
  year(date_joined) as join_year,
  count(distinct struct(user_name, age, date_joined)) as number_users_joined,
  count(*) as number_user_records
from user
where year(date_joined) between 2015 and 2020
group by join_year
order by join_year
