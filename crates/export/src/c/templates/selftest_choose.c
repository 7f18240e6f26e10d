/* Is it the recorded logit, as near as rounding allows? */
static int is_same(float found, float recorded)
{
    const float magnitude = omiga_abs(recorded);
    const float allowed = TOLERANCE * ((magnitude > 1.0f) ? magnitude : 1.0f);
    return (omiga_abs(found - recorded) <= allowed) ? 1 : 0;
}

static int repeat(size_t i)
{
    const float *const recorded = &cases_logits[i * N_ACTIONS];
    float found[N_ACTIONS];
    uint32_t action = 0u;
    int status = @stem@_choose(&cases_obs[i * N_OBS], &cases_mask[i * N_ACTIONS], &action, found);
    for (size_t k = 0u; (k < N_ACTIONS) && (status == OMIGA_STEP_OK); k++) {
        status = (is_same(found[k], recorded[k]) != 0) ? OMIGA_STEP_OK : OMIGA_STEP_SELFTEST;
    }
    /* Of two that are as good, either. */
    if ((status == OMIGA_STEP_OK) && (is_same(recorded[action], recorded[cases_action[i]]) == 0)) {
        status = OMIGA_STEP_SELFTEST;
    }
    return status;
}

static int refuse_nan(void)
{
    float obs[N_OBS];
    uint32_t action = 0u;
    omiga_copy(cases_obs, N_OBS, obs);
    obs[N_OBS - 1u] = omiga_nan();
    const int status = @stem@_choose(obs, cases_mask, &action, NULL);
    return (status == OMIGA_STEP_OBS_NOT_FINITE) ? OMIGA_STEP_OK : OMIGA_STEP_SELFTEST;
}

int @stem@_selftest(void)
{
    int status = refuse_nan();
    for (size_t i = 0u; (i < N_CASES) && (status == OMIGA_STEP_OK); i++) {
        status = repeat(i);
    }
    return status;
}
