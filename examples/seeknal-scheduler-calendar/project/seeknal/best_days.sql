SELECT traded_on, sum(percent) AS percent FROM ref('transform.moves') GROUP BY traded_on
