-- Age groups of all queries: 50 belongs to 36-50, and ages under 18 to no group.
create or replace temporary function age_group(age int) returns string
return case
  when age between 18 and 24 then '18-24'
  when age between 25 and 35 then '25-35'
  when age between 36 and 50 then '36-50'
  when age > 50 then '50+'
end
