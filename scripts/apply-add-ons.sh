# Without a network add-on no node becomes Ready.
apply_text() {
    printf '%s\n' "$1" | kubectl apply --filename=-
}
{% for add_on in add_ons %}
waiting {{ ('applying the ' ~ add_on.type ~ ' add-on ' ~ add_on.name) | sh }}
{% if add_on.url %}
retry 10 kubectl apply --filename={{ add_on.url | sh }}
{% else %}
retry 10 apply_text {{ add_on.text | sh }}
{% endif %}
{% endfor %}
