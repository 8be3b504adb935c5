/*
---
description: One row an airport and hour, without impossible winds
tags: [cleaned]
columns:
  gust: The strongest wind of the hour in miles an hour
---
*/
SELECT
    origin,
    time_hour,
    temp AS temperature,
    precip AS rain,
    visib AS visibility,
    CASE WHEN {{ rules.possible_wind }} THEN greatest(wind_speed, wind_gust) END AS gust
FROM ref('source.weather')
