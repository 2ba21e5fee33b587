{% if skipped_phases %}
    local skipped={{ skipped_phases | join(',') | sh }}
    flags+=("--skip-phases=$skipped")
{% endif %}
{% if ignored_preflight_errors %}
    local ignored={{ ignored_preflight_errors | join(',') | sh }}
    flags+=("--ignore-preflight-errors=$ignored")
{% endif %}
