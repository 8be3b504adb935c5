"""What is known of functions: which ones always give the same, and which depend on row order."""

from __future__ import annotations

from typing import Final


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOLATILE: Final = words(
    """
    Rand Randn Randstr Uniform Normal Zipf Shuffle Uuid Generator GenerateText GenerateTable
    GenerateBool GenerateInt GenerateDouble GenerateEmbedding Seq1 Seq2 Seq4 Seq8 NextValueFor
    CurrentAccount CurrentAccountName CurrentAvailableRoles CurrentCatalog CurrentClient
    CurrentDatabase CurrentDate CurrentDatetime CurrentIpAddress CurrentOrganizationName
    CurrentOrganizationUser CurrentRegion CurrentRole CurrentRoleType CurrentSchema CurrentSchemas
    CurrentSecondaryRoles CurrentSession CurrentStatement CurrentTime CurrentTimestamp
    CurrentTimestampLTZ CurrentTimezone CurrentTransaction CurrentUser CurrentUserId CurrentVersion
    CurrentWarehouse SessionUser Localtime Localtimestamp Systimestamp UtcDate UtcTime UtcTimestamp
    AIAgg AIClassify AIEmbed AIForecast AIGenerate AISimilarity AISummarizeAgg MLForecast
    MLTranslate Predict VectorSearch FeaturesAtTime Encrypt EncryptRaw Secret ReadCSV ReadParquet
    OpenJSON TableSample SessionParameter Parameter NetFunc DynamicIdentifier AnonymousAggFunc
    CombinedAggFunc CombinedParameterizedAgg ParameterizedAgg Search SearchIp ObjectId ToFile
    """
)
"""Classes of sqlglot whose value is not a function of their arguments alone, or may not be."""

NOW_WITHOUT_ARGUMENT: Final = words(
    """
    Date Datetime Time Timestamp TimeToUnix StrToUnix UnixSeconds UnixMillis UnixMicros TimeToStr
    TsOrDsToDate TsOrDsToTimestamp StrToDate StrToTime
    """
)
"""Classes that mean the present time when they are called without an argument."""

MOMENTS: Final = frozenset({"now", "today", "tomorrow", "yesterday", "current_timestamp"})
"""Strings that become the present time when they are cast."""

BY_ROW_ORDER: Final = words(
    """
    AnyValue ArgMax ArgMin ArrayAgg ArrayConcatAgg ArrayUnionAgg ArrayUniqueAgg GroupConcat First
    Last FirstValue LastValue NthValue Lag Lead Ntile RowNumber Mode ApproxDistinct ApproxQuantile
    ApproxQuantiles ApproxTopK ApproxTopKAccumulate ApproxTopKCombine ApproxTopSum
    ApproxPercentileAccumulate ApproxPercentileCombine ApproximateSimilarity Hll Minhash
    MinhashCombine JSONArrayAgg JSONObjectAgg JSONBObjectAgg ObjectAgg Agg HashAgg List
    """
)
"""Aggregates and window functions whose value depends on the order in which rows come."""

WINDOW_ONLY: Final = words(
    """
    RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
    """
)
"""Classes that sqlglot may count among aggregates, and that are none."""

NEW_ROWS: Final = words(
    """
    Explode ExplodeOuter _ExplodeOuter Posexplode PosexplodeOuter Inline Unnest Flatten Stack
    ExplodingGenerateSeries JSONTable XMLTable SplitToTable StrtokSplitToTable GapFill
    """
)
"""Functions that turn one row into any number of rows."""

AGGREGATES: Final = words(
    """
    arbitrary arg_max_null arg_max_nulls_last arg_min_null arg_min_nulls_last bitstring_agg
    combine_aggr count_star decimal_average entropy favg fsum histogram histogram_exact kahan_sum
    kurtosis_pop lttb mad mean product reservoir_quantile sem sum_no_overflow sumkahan
    variant_group_object json_group_array json_group_object json_group_structure geomean
    geometric_mean wavg weighted_avg variant_group_array approx_count_distinct
    """
)
"""Aggregates of DuckDB that sqlglot doesn't know as such."""

STEADY_AGGREGATES: Final = words(
    """
    bitstring_agg count_star decimal_average entropy favg fsum histogram histogram_exact kahan_sum
    kurtosis_pop mad mean product sem sum_no_overflow sumkahan geomean geometric_mean
    """
)
"""Those of AGGREGATES that don't look at the order of rows."""

STEADY: Final = words(
    """
    add array_apply array_cosine_distance array_cosine_similarity array_cross_product
    array_distance array_dot_product array_extract array_grade_up array_has_any array_indexof
    array_inner_product array_negative_dot_product array_resize array_reverse_sort array_select
    array_sort array_transform array_unique array_value array_where array_zip bar base64 bin
    bit_count bit_position bitstring century cardinality damerau_levenshtein date_part date_sub
    datepart datesub days_in_month decade divide element_at enum_code enum_first enum_last
    enum_range epoch_ns epoch_us equi_width_bins era even fdiv fmod format_bytes from_binary gamma
    gcd greatest_common_divisor hamming hash isfinite isoyear jaccard jaro_similarity
    json_array_length json_contains json_exists json_merge_patch json_quote json_structure
    json_valid json_value julian lcm least_common_multiple length_grapheme lgamma list_apply
    list_cat list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_count
    list_cosine_similarity list_dot_product list_element list_extract list_grade_up list_has_all
    list_indexof list_inner_product list_intersect list_median list_pack list_position list_product
    list_resize list_reverse list_reverse_sort list_select list_slice list_sort list_sum
    list_unique list_where list_zip make_timestamp_ms make_timestamp_ns map_concat map_contains
    map_entries map_extract map_extract_value map_values microsecond millennium millisecond
    multiply nanosecond nextafter nfc_normalize octet_length ord parse_dirname parse_dirpath
    parse_filename parse_path prefix printf regexp_escape regexp_split_to_array round_even
    roundbankers row set_bit strip_accents strlen struct_concat struct_contains struct_extract_at
    struct_insert struct_position struct_update struct_values substring_grapheme subtract suffix
    to_base to_centuries to_decades to_hours to_microseconds to_millennia to_milliseconds
    to_minutes to_months to_quarters to_seconds to_weeks to_years try_strptime unbin union_extract
    union_tag union_value url_decode url_encode weekday yearweek
    """
)
"""Scalar functions that sqlglot has no class for and DuckDB calls consistent."""

SAME_FUNCTION: Final = {
    "ifnull": "coalesce",
    "mean": "avg",
    "array_agg": "list",
    "group_concat": "string_agg",
    "listagg": "string_agg",
    "substr": "substring",
    "ceiling": "ceil",
    "power": "pow",
    "lcase": "lower",
    "ucase": "upper",
    "stddev_samp": "stddev",
    "var_samp": "variance",
    "max_by": "arg_max",
    "min_by": "arg_min",
    "argmax": "arg_max",
    "argmin": "arg_min",
    "countif": "count_if",
    "len": "length",
    "datediff": "date_diff",
    "datetrunc": "date_trunc",
}
"""Names of DuckDB that are registered for one and the same function."""
