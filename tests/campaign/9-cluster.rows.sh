stop_cluster() { :; }
