/** What users hold of a search for peers. */

/** The search for peers of one torrent: trackers, and the DHT and local network where they are switched on. */
export interface Finding {
  /** Ends the search and says goodbye to trackers; takes two seconds at most. */
  stop(): Promise<void>;
}
