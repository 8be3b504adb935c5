/*
---
description: One row a flight, with what is asked of it everywhere
owner: operations
tags: [cleaned]
columns:
  day: Local date of the scheduled departure
  route: From and to, as JFK-LAX
  cancelled: It never left
  delayed: It arrived late by more than is forgiven; NULL when it never arrived
---
*/
SELECT
    make_date(year, month, day) AS day,
    time_hour,
    sched_dep_time,
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    origin || '-' || dest AS route,
    dep_delay,
    arr_delay,
    {{ rules.cancelled }} AS cancelled,
    {{ rules.delayed }} AS delayed
FROM ref('source.flights')
