# Tab completion of `python -m pipeline`, its commands and options, in the shell that reads this:
#   . scripts/completion.sh
# In bash; in zsh after `autoload -U bashcompinit && bashcompinit`. Elsewhere `python` completes file names, as before.

_python_m_pipeline() {
    [[ "${COMP_WORDS[*]:1:2}" == "-m pipeline" ]] && ((COMP_CWORD > 2)) || return 0
    local words="pipeline ${COMP_WORDS[*]:3}" IFS=$'\n'
    COMPREPLY=($(COMP_WORDS="$words" COMP_CWORD=$((COMP_CWORD - 2)) _PIPELINE_COMPLETE=complete_bash "$1" -m pipeline))
}

complete -o bashdefault -o default -F _python_m_pipeline python
