static int repeat(size_t i)
{
    float found[N_ACTIONS];
    int status = @stem@_step(&cases_obs[i * N_OBS], found);
    for (size_t k = 0u; (k < N_ACTIONS) && (status == OMIGA_STEP_OK); k++) {
        const float difference = omiga_abs(found[k] - cases_action[(i * N_ACTIONS) + k]);
        status = (difference <= tolerances[k]) ? OMIGA_STEP_OK : OMIGA_STEP_SELFTEST;
    }
    return status;
}

static int refuse_nan(void)
{
    float obs[N_OBS];
    float found[N_ACTIONS];
    omiga_copy(cases_obs, N_OBS, obs);
    obs[N_OBS - 1u] = omiga_nan();
    return (@stem@_step(obs, found) == OMIGA_STEP_OBS_NOT_FINITE) ? OMIGA_STEP_OK : OMIGA_STEP_SELFTEST;
}

int @stem@_selftest(void)
{
    int status = refuse_nan();
    for (size_t i = 0u; (i < N_CASES) && (status == OMIGA_STEP_OK); i++) {
        status = repeat(i);
    }
    return status;
}
