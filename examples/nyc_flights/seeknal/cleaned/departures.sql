/*
---
description: One row a flight, with what is asked of it everywhere
tags: [cleaned]
columns:
  day: Local date of the scheduled departure
  cancelled: It never left
  delayed: It arrived late by more than is forgiven
---
*/
SELECT
    make_date(year, month, day) AS day,
    time_hour,
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    distance,
    sched_dep_time,
    dep_delay,
    arr_delay,
    {{ rules.cancelled }} AS cancelled,
    {{ rules.delayed }} AS delayed
FROM ref('source.flights')
