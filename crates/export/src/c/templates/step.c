int @stem@_step(const float *OMIGA_RESTRICT obs, float *OMIGA_RESTRICT action)
{
    int status = OMIGA_STEP_NULL;
    if ((obs != NULL) && (action != NULL)) {
        status = omiga_check_obs(obs, N_OBS);
    }
    if (status == OMIGA_STEP_OK) {
        float mu[N_ACTIONS];
        forward(obs, mu);
@clamp@        status = omiga_command(mu, command_ranges, N_ACTIONS, action);
    }
    return status;
}
